import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { TemporaryDirectory } from '../erofs/temporary-directory';
import { imageCommand } from '../harness/image-command';

const fixture = (name: string): string => resolve('test/fixtures/erofs', name);
const fsck = (...words: string[]) => imageCommand('fsck', ...words);

let scratch: TemporaryDirectory;

beforeAll(() => {
  scratch = new TemporaryDirectory();
});

afterAll(() => {
  scratch[Symbol.dispose]();
});

/** A sample with a change. */
function damaged(name: string, damage: (bytes: Buffer) => void): string {
  const bytes = readFileSync(fixture(name));
  damage(bytes);
  writeFileSync(scratch.join(name), bytes);
  return scratch.join(name);
}

const otherContent = (bytes: Buffer): void => {
  bytes.write('HELLO', bytes.indexOf('hello erofs'), 'latin1');
};

test('an image without fault is clean', async () => {
  expect(await fsck(fixture('plain-fp.erofs'))).toEqual({
    exitCode: 0,
    stdout: `${fixture('plain-fp.erofs')}: clean, 9 inodes, 6 files with 246.9 KiB of content, 5 fingerprints recomputed\n`,
    stderr: '',
  });
});

test('each finding is a line, and the exit code 1', async () => {
  const image = damaged('plain-fp.erofs', otherContent);
  const { exitCode, stdout, stderr } = await fsck(image);
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toEqual([
    expect.stringMatching(/inode \d+, fingerprint: claims [0-9a-f]{64}, .* \[\/small\]$/),
    expect.stringContaining(': 1 finding, 9 inodes'),
  ]);
});

test('findings as JSON', async () => {
  const { exitCode, stdout } = await fsck('--json', damaged('plain-fp.erofs', otherContent));
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    clean: false,
    findings: [{ kind: 'corrupt', path: '/small', field: 'fingerprint' }],
    checked: { inodes: 9, files: 6, fingerprints: 5 },
  });
});

test('a superblock that is damaged is a finding', async () => {
  const { exitCode, stdout } = await fsck(damaged('lz4.erofs', (bytes) => (bytes[1060]! ^= 1)));
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(/superblock\.checksum: .*\n.*: 1 finding\n$/);
});

test('content on an extra device wants the device', async () => {
  const image = fixture('chunk-blobdev.erofs');
  const without = await fsck(image);
  expect(without.exitCode).toBe(2);
  expect(without.stderr).toContain('its content is on 1 extra devices: name them with --device');
  expect((await fsck('--device', fixture('chunk-blobdev.blob'), image)).exitCode).toBe(0);
});

test.each([
  ['a word too few', [], /missing required argument 'image'/],
  ['a file that is not there', ['/nowhere'], /^ishare: image fsck: \/nowhere: no such file or directory\n$/],
  ['a directory', [resolve('test')], /is no regular file\n$/],
  [
    'a device too many',
    ['--device', fixture('src.tar'), fixture('plain.erofs')],
    /wants 0 devices, 1 are given\n$/,
  ],
])('%s is trouble, not a finding', async (_, words, message) => {
  const { exitCode, stdout, stderr } = await fsck(...words);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toMatch(message);
});

test('features that this program does not know are trouble', async () => {
  const image = damaged('plain.erofs', (bytes) => {
    // Without its checksum, and with a feature of the future.
    bytes.writeUInt32LE(bytes.readUInt32LE(1032) & ~1, 1032);
    bytes.writeUInt32LE(0x4000_0000, 1104);
  });
  const { exitCode, stderr } = await fsck(image);
  expect(exitCode).toBe(2);
  expect(stderr).toContain('unknown features: bit 30');
});
