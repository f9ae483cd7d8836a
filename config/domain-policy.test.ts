import fc from 'fast-check';
import { configuredDomains, domainOf, namespaceOf } from './domain-policy';
import { configSchema } from './schema';

const policy = configSchema.parse({
  domains: { default: 'rest', namespaces: { 'k8s.io': 'cluster', moby: 'docker', lonely: '' } },
}).domains;

test('the namespace is the first of the three parts of a key of containerd', () => {
  expect(namespaceOf('k8s.io/12/extract-52-Ab sha256:aaaa')).toBe('k8s.io');
  expect(namespaceOf('default/1/name/with/slashes')).toBe('default');
  expect(namespaceOf('moby/3/\nname')).toBe('moby');
});

test.each([
  '',
  '/',
  'plain',
  'sha256:0123',
  'k8s.io',
  'k8s.io/',
  'k8s.io/x/name',
  'k8s.io/1/',
  '/1/name',
  'k8s.io/-1/name',
  ' /k8s.io/1/name',
  'k8s.io/1.5/name',
])('a key of another form has no namespace: %j', (key) => {
  expect(namespaceOf(key)).toBeUndefined();
  expect(domainOf(key, policy)).toBe('rest');
});

test('a namespace in the table has the domain that stands there', () => {
  expect(domainOf('k8s.io/1/a', policy)).toBe('cluster');
  expect(domainOf('moby/2/b', policy)).toBe('docker');
});

test('an empty name in the table means no domain, whatever the default', () => {
  expect(domainOf('lonely/1/a', policy)).toBeUndefined();
});

test('a namespace that is not in the table has the default', () => {
  expect(domainOf('other/1/a', policy)).toBe('rest');
});

test('without a default, nothing is shared but what the table names', () => {
  const strict = { ...policy, default: '' };
  expect(domainOf('other/1/a', strict)).toBeUndefined();
  expect(domainOf('plain', strict)).toBeUndefined();
  expect(domainOf('moby/1/a', strict)).toBe('docker');
});

test('names that every JavaScript object has are no entries of the table', () => {
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    expect(domainOf(`${name}/1/a`, policy)).toBe('rest');
  }
});

test('a key that is not of containerd never gets out of the default domain', () => {
  const key = fc
    .oneof(fc.string(), fc.string({ unit: 'binary' }))
    .filter((text) => !/^[^/]+\/\d+\/[^]/.test(text));
  fc.assert(fc.property(key, (text) => domainOf(text, policy) === 'rest'));
});

test('the domains that a configuration can lead to are listed once each', () => {
  expect(configuredDomains(policy)).toEqual(['rest', 'cluster', 'docker']);
  const twice = configSchema.parse({ domains: { default: 'a', namespaces: { x: 'a', y: 'b' } } }).domains;
  expect(configuredDomains(twice)).toEqual(['a', 'b']);
  expect(configuredDomains(configSchema.parse({}).domains)).toEqual([]);
});
