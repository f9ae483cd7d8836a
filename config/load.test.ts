import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { stringify } from 'smol-toml';
import { ConfigError, loadConfig } from './load';
import { configSchema } from './schema';

const defaults = configSchema.parse({});
let directory: string;
let file: string;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'ishare-config-'));
  file = path.join(directory, 'config.toml');
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

async function refusal(text: string | Buffer): Promise<string> {
  writeFileSync(file, text);
  const caught = await loadConfig(file, {}).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(caught).toBeInstanceOf(ConfigError);
  return (caught as ConfigError).message;
}

test('an empty file means the defaults', async () => {
  writeFileSync(file, '');
  expect(await loadConfig(file, {})).toEqual(defaults);
});

test('empty tables mean the defaults too', async () => {
  writeFileSync(file, '[domains]\n[domains.namespaces]\n[fuse]\n[build]\n');
  expect(await loadConfig(file, {})).toEqual(defaults);
});

test('a byte order mark is no part of the first key', async () => {
  writeFileSync(file, '\ufefflog_level = "debug"\n');
  expect((await loadConfig(file, {})).log_level).toBe('debug');
});

test('values that were given on the command line win over the file', async () => {
  writeFileSync(file, 'root = "/from/file"\nstate = "/from/file"\nlog_level = "debug"\n');
  expect(await loadConfig(file, { root: '/from/flag', log_level: 'error' })).toEqual({
    ...defaults,
    root: '/from/flag',
    state: '/from/file',
    log_level: 'error',
  });
});

test('every combination of values that the schema allows is read back as it was written', async () => {
  const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
  const namespace = fc.stringMatching(/^[A-Za-z0-9]{1,5}([-._][A-Za-z0-9]{1,5}){0,3}$/);
  const absolute = fc.stringMatching(/^\/[ -~]{0,40}$/);
  const encoder = fc.constantFrom('none', 'lz4', 'lz4hc', 'zstd');
  const pclusterKib = fc.integer({ min: 1, max: 256 }).map((blocks) => 4 * blocks);
  const config = fc.record({
    root: absolute,
    state: absolute,
    address: absolute,
    admin_address: absolute,
    log_level: fc.constantFrom('error', 'warn', 'info', 'debug'),
    verify_on_read: fc.boolean(),
    erofs_layers: fc.boolean(),
    containerd: fc.record({ address: absolute, content_root: absolute }),
    domains: fc.record({
      default: fc.oneof(name, fc.constant('')),
      namespaces: fc.dictionary(namespace, fc.oneof(name, fc.constant('')), { noNullPrototype: true }),
      rules: fc.array(
        fc.record({
          namespace,
          image: name,
          labels: fc.dictionary(name, name, { noNullPrototype: true }),
          domain: name,
        }),
        { maxLength: 3 },
      ),
    }),
    fuse: fc.record({
      passthrough: fc.boolean(),
      read_ahead_kib: fc.integer({ min: 0, max: 65536 }),
      metadata_cache_mib: fc.integer({ min: 1, max: 65536 }),
      realtime: fc.boolean(),
    }),
    build: fc.record({
      workers: fc.integer({ min: 1, max: 64 }),
      encoder,
      pcluster_kib: pclusterKib,
      inline_tails: fc.boolean(),
      rules: fc.array(
        fc.record(
          { pattern: name, encoder, pcluster_kib: pclusterKib },
          { requiredKeys: ['pattern', 'encoder'], noNullPrototype: true },
        ),
        { maxLength: 3 },
      ),
    }),
  });
  await fc.assert(
    fc.asyncProperty(config, async (values) => {
      writeFileSync(file, stringify(values));
      expect(await loadConfig(file, {})).toEqual(values);
    }),
    { numRuns: 200 },
  );
});

describe('a file that cannot be read', () => {
  test('is an error where it was asked for and is missing', async () => {
    const missing = path.join(directory, 'missing.toml');
    await expect(loadConfig(missing, {})).rejects.toThrow(`configuration ${missing}: there is no such file`);
  });

  test('is an error where it is a directory', async () => {
    await expect(loadConfig(directory, {})).rejects.toThrow(`configuration ${directory}: it is a directory`);
  });

  test('is an error where a part of its path is a file', async () => {
    writeFileSync(file, '');
    await expect(loadConfig(`${file}/below`, {})).rejects.toThrow(
      `${file}/below: it cannot be read (ENOTDIR)`,
    );
  });

  test('is an error where it is not UTF-8', async () => {
    expect(await refusal(Buffer.from('root = "/\xff"', 'latin1'))).toBe(
      `configuration ${file}: it is not UTF-8 text`,
    );
  });
});

describe('a wrong value is refused by file, key and what is allowed', () => {
  const cases: [text: string, key: string, reason: string][] = [
    ['root = 5', 'root', 'expected string, received number'],
    ['root = ["/a"]', 'root', 'expected string, received array'],
    ['root = "relative"', 'root', 'must be an absolute path'],
    ['root = ""', 'root', 'must be an absolute path'],
    ['root = "/a\\u0000b"', 'root', 'must not contain a NUL'],
    ['state = "~/state"', 'state', 'must be an absolute path'],
    ['address = "unix:///run/s.sock"', 'address', 'must be an absolute path'],
    ['admin_address = false', 'admin_address', 'expected string, received boolean'],
    ['log_level = "trace"', 'log_level', '"error"|"warn"|"info"|"debug"'],
    ['log_level = "INFO"', 'log_level', '"error"|"warn"|"info"|"debug"'],
    ['domains = "all"', 'domains', 'expected object'],
    ['[[domains]]', 'domains', 'expected object, received array'],
    ['[domains]\ndefault = "a/b"', 'domains.default', 'letters, digits'],
    [`[domains]\ndefault = "${'x'.repeat(64)}"`, 'domains.default', 'at most 63'],
    ['[domains]\ndefault = 1', 'domains.default', 'expected string, received number'],
    ['[domains]\nnamespaces = "x"', 'domains.namespaces', 'expected record, received string'],
    ['[domains.namespaces]\nmoby = "a b"', 'domains.namespaces.moby', 'letters, digits'],
    ['[domains.namespaces]\n"k8s.io" = "-x"', 'domains.namespaces."k8s.io"', 'letters, digits'],
    ['[domains.namespaces]\n"" = "x"', 'domains.namespaces.""', 'no name of a containerd namespace'],
    ['[domains.namespaces]\n"a/b" = "x"', 'domains.namespaces."a/b"', 'no name of a containerd namespace'],
    ['[[domains.rules]]\nnamespace = "a"', 'domains.rules.0', 'either domain or choose'],
    ['[[domains.rules]]\ndomain = "a"\nchoose = ["b"]', 'domains.rules.0', 'either domain or choose'],
    ['[[domains.rules]]\ndomain = "a/b"', 'domains.rules.0.domain', 'letters, digits'],
    ['[[domains.rules]]\nchoose = []', 'domains.rules.0.choose', '>=1'],
    ['[[domains.rules]]\ndomain = "a"\nlabels = { x = 1 }', 'domains.rules.0.labels.x', 'expected string'],
    ['[fuse]\npassthrough = "yes"', 'fuse.passthrough', 'expected boolean, received string'],
    ['[fuse]\nread_ahead_kib = -1', 'fuse.read_ahead_kib', '>=0'],
    ['[fuse]\nread_ahead_kib = 1.5', 'fuse.read_ahead_kib', 'expected int'],
    ['[fuse]\nmetadata_cache_mib = 0', 'fuse.metadata_cache_mib', '>=1'],
    ['[fuse]\nmetadata_cache_mib = 65537', 'fuse.metadata_cache_mib', '<=65536'],
    ['[fuse]\nrealtime = 1', 'fuse.realtime', 'boolean'],
    ['[build]\nworkers = 0', 'build.workers', '>=1'],
    ['[build]\nworkers = nan', 'build.workers', 'expected number, received NaN'],
    ['[build]\nencoder = "gzip"', 'build.encoder', '"none"|"lz4"|"lz4hc"|"zstd"'],
    ['[build]\nencoder = "lz4hc"\nlevel = 13', 'build.level', 'lz4hc has levels from 1 to 12'],
    ['[build]\nlevel = 1', 'build.level', 'encoder "none" has no levels'],
    ['[build]\nlevel = 0', 'build.level', '>=1'],
    ['[build]\npcluster_kib = 6', 'build.pcluster_kib', 'multiple of 4'],
    ['[build]\npcluster_kib = 2048', 'build.pcluster_kib', '<=1024'],
    ['[[build.rules]]\nencoder = "none"', 'build.rules.0.pattern', 'expected string'],
    ['[build]\nworkers = inf', 'build.workers', 'received Infinity'],
  ];

  test.each(cases)('%s', async (text, key, reason) => {
    const message = await refusal(text);
    expect(message.startsWith(`configuration ${file}: key ${key} (line `)).toBe(true);
    expect(message).toContain(reason);
  });

  test('with a hint where a namespace with dots is not quoted', async () => {
    expect(await refusal('[domains.namespaces]\nk8s.io = "cluster"')).toContain(
      'key domains.namespaces.k8s (line 2): must be the name of a domain; quote a namespace that has dots',
    );
  });

  test('all of them at once', async () => {
    const message = await refusal('root = 1\nlog_level = 2\n[build]\nworkers = 3.5\n');
    const lines = { root: 1, log_level: 2, 'build.workers': 4 };
    for (const [key, line] of Object.entries(lines)) expect(message).toContain(`key ${key} (line ${line}): `);
  });
});

test.each([
  ['rot = "/x"', 'rot (line 1)'],
  ['[fuse]\nread_ahead = 1', 'fuse.read_ahead (line 2)'],
  ['[domains]\nnamespace = {}', 'domains.namespace (line 2)'],
  ['[build]\n"two words" = 1', 'build."two words" (line 2)'],
  ['[metrics]\nport = 1', 'metrics (line 1)'],
])('an unknown key is refused by name: %s', async (text, key) => {
  expect(await refusal(text)).toBe(`configuration ${file}: unknown key ${key}`);
});

test.each([
  ['root = "/a"\nstate = \n', 2],
  ['a = 1\n\na = 2\n', 3],
  ['[fuse\n', 1],
  ['root = "/a\n', 1],
  ['# comment\n\n\n= 1\n', 4],
  ['build.workers = 99999999999999999999\n', 1],
])('a mistake in the TOML is refused by line: %j', async (text, line) => {
  expect(await refusal(text)).toMatch(new RegExp(`^configuration ${file}, line ${line}, column \\d+: \\S`));
});

test('no text makes loading fail in another way than with a ConfigError', async () => {
  const scraps = fc.constantFrom(
    ...[
      'root',
      'fuse',
      'domains',
      'namespaces',
      'k8s.io',
      '=',
      '"',
      '[',
      ']',
      '.',
      '\n',
      '1',
      '/a',
      'true',
      '{',
      '}',
    ],
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(scraps, { maxLength: 12 }).map((parts) => parts.join('')),
  );
  await fc.assert(
    fc.asyncProperty(text, async (content) => {
      writeFileSync(file, content);
      const failure = await loadConfig(file, {}).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure !== undefined) expect(failure).toBeInstanceOf(ConfigError);
    }),
    { numRuns: 300 },
  );
});
