import fc from 'fast-check';
import { DOMAIN_LABEL, DomainPolicy, IMAGE_LABEL, namespaceOf, type DomainDecision } from './domain-policy';
import { configSchema } from './schema';

const table = { default: 'rest', namespaces: { 'k8s.io': 'cluster', moby: 'docker', lonely: '' } };

function policyOf(domains: object): DomainPolicy {
  return new DomainPolicy(configSchema.parse({ domains }).domains);
}

function domainOf(key: string, policy: DomainPolicy): string | undefined {
  return policy.decide({ key, labels: {} }).domain;
}

const policy = policyOf(table);

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
  const strict = policyOf({ ...table, default: '' });
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
  expect(policy.names()).toEqual(['rest', 'cluster', 'docker']);
  const rules = [{ domain: 'c' }, { domain: '' }, { choose: ['d', 'e-*', 'a'] }];
  const more = policyOf({ default: 'a', namespaces: { x: 'a', y: 'b' }, rules });
  expect(more.names()).toEqual(['a', 'b', 'c', 'd']);
  expect(policyOf({}).names()).toEqual([]);
});

describe('rules', () => {
  const ruled = policyOf({
    ...table,
    rules: [
      { image: 'registry.example/base/**', domain: 'base' },
      { namespace: 'k8s.io', labels: { 'containerd.io/snapshot/team': 'red*' }, domain: 'red' },
      { namespace: 'k8s.io', choose: ['team-*', 'common'] },
      { namespace: 'moby', labels: { alone: '*' }, domain: '' },
    ],
  });

  function decide(key: string, labels: Record<string, string>, parentLabels = {}): DomainDecision {
    return ruled.decide({ key, labels, parentLabels });
  }

  test('are asked in their order, before the table and the default, and say which it was', () => {
    const decided = (domain: string | undefined, rule: string): DomainDecision => ({
      domain,
      rule,
      refused: undefined,
    });
    const red = { 'containerd.io/snapshot/team': 'red-1' };
    const based = { [IMAGE_LABEL]: 'registry.example/base/debian:12' };
    expect(decide('k8s.io/1/a', { ...red, ...based })).toEqual(decided('base', 'domains.rules[0]'));
    expect(decide('k8s.io/1/a', red)).toEqual(decided('red', 'domains.rules[1]'));
    expect(decide('k8s.io/1/a', {})).toEqual(decided('cluster', 'domains.namespaces.k8s.io'));
    expect(decide('moby/1/a', { alone: 'yes' })).toEqual(decided(undefined, 'domains.rules[3]'));
    expect(decide('moby/1/a', red)).toEqual(decided('docker', 'domains.namespaces.moby'));
    expect(decide('some key', red)).toEqual(decided('rest', 'domains.default'));
  });

  test('know the image by the layer below where the snapshot does not tell it', () => {
    const below = { [IMAGE_LABEL]: 'registry.example/base/debian:12' };
    expect(decide('x/1/a', {}, below).domain).toBe('base');
    expect(decide('x/1/a', { [IMAGE_LABEL]: 'other/image' }, below).domain).toBe('rest');
  });

  test('let a label choose only what they allow, where they allow it', () => {
    const asking = (domain: string): Record<string, string> => ({ [DOMAIN_LABEL]: domain });
    expect(decide('k8s.io/1/a', asking('team-a'))).toEqual({
      domain: 'team-a',
      rule: 'domains.rules[2]',
      refused: undefined,
    });
    expect(decide('k8s.io/1/a', asking('common')).domain).toBe('common');
    // Another's domain, and one's own in a namespace that may not choose.
    for (const [key, wanted, got] of [
      ['k8s.io/1/a', 'docker', 'cluster'],
      ['k8s.io/1/a', 'base', 'cluster'],
      ['moby/1/a', 'team-a', 'docker'],
      ['plain', 'team-a', 'rest'],
    ] as const) {
      expect(decide(key, asking(wanted))).toMatchObject({ domain: got, refused: wanted });
    }
    // What one gets anyway is not refused.
    expect(decide('k8s.io/1/a', asking('cluster')).refused).toBeUndefined();
  });

  test.each(['team-a/b', 'team-..', 'team-\0', `team-${'x'.repeat(4096)}`, 'team-a\n', 'team-é', ''])(
    'refuse a domain of the name %j, whatever they allow',
    (wanted) => {
      const open = policyOf({ rules: [{ choose: ['**', '*', '?*'] }] });
      const { domain, refused } = open.decide({ key: 'x/1/a', labels: { [DOMAIN_LABEL]: wanted } });
      expect(domain).toBe(wanted === 'team-..' ? wanted : undefined);
      // Long names are told in part.
      expect(refused?.slice(0, 80)).toBe(
        domain === wanted || wanted === '' ? undefined : wanted.slice(0, 80),
      );
    },
  );
});
