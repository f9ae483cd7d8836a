import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lchownSync,
  linkSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { setXattr } from '../../linux/xattr';
import { systemMkfs } from '../../erofs/testing/erofs-utils';
import { TemporaryDirectory } from '../erofs/temporary-directory';
import { imageCommand } from '../harness/image-command';

const fixture = (name: string): string => resolve('test/fixtures/erofs', name);
const diff = (...words: string[]) => imageCommand('diff', ...words);

let scratch: TemporaryDirectory;

beforeAll(() => {
  scratch = new TemporaryDirectory();
  const [old, young] = [scratch.join('old'), scratch.join('young')];
  mkdirSync(scratch.join('old', 'gone', 'deep'), { recursive: true });
  for (const name of [
    'same',
    'content',
    'mode',
    'owner',
    'time',
    'xattrs',
    'links',
    'type',
    'gone/deep/file',
  ])
    writeFileSync(scratch.join('old', name), `first ${name}`);
  symlinkSync('one', scratch.join('old', 'target'));
  cpSync(old, young, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  const at = (name: string): string => scratch.join('young', name);
  writeFileSync(at('content'), 'other content');
  chmodSync(at('mode'), 0o600);
  lchownSync(at('owner'), 7, 8);
  setXattr(at('xattrs'), 'user.new', Buffer.from('value'));
  linkSync(at('links'), at('second-name'));
  rmSync(at('type'));
  symlinkSync('same', at('type'));
  rmSync(at('target'));
  symlinkSync('two', at('target'));
  rmSync(at('gone'), { recursive: true });
  mkdirSync(at('new-dir'));
  writeFileSync(at('new-dir/file'), 'first same');
  // All times alike, but for one.
  const sameTime = 1_700_000_000;
  for (const root of [old, young])
    execFileSync('find', [root, '-exec', 'touch', '-h', '-d', `@${sameTime}`, '{}', '+'], {
      timeout: 20_000,
    });
  utimesSync(at('time'), sameTime, sameTime + 5);
  for (const name of ['old', 'young'])
    systemMkfs.run('--quiet', scratch.join(`${name}.erofs`), scratch.join(name));
});

afterAll(() => {
  scratch[Symbol.dispose]();
});

test('tells what was added, removed and changed, and how', async () => {
  const { exitCode, stdout, stderr } = await diff(scratch.join('old.erofs'), scratch.join('young.erofs'));
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
  expect(stdout.split('\n\n')[0]!.split('\n')).toEqual([
    '! /content (content)',
    '- /gone',
    '- /gone/deep',
    '- /gone/deep/file',
    '! /links (links)',
    '! /mode (mode)',
    '+ /new-dir',
    '+ /new-dir/file',
    '! /owner (owner)',
    '+ /second-name',
    '! /target (target)',
    '! /time (time)',
    '! /type (type, mode)',
    '! /xattrs (xattrs)',
  ]);
});

test('tells as JSON what the pair would share', async () => {
  const { stdout } = await diff('--json', scratch.join('old.erofs'), scratch.join('young.erofs'));
  const { differences, sharing } = JSON.parse(stdout) as { differences: unknown[]; sharing: unknown };
  expect(differences).toHaveLength(14);
  expect(differences).toContainEqual({ kind: 'changed', path: '/content', aspects: ['content'] });
  // same, mode, owner, time, xattrs, links; and new-dir/file with the content of "same".
  expect(sharing).toMatchObject({
    a: { files: 9, files_in_other: 6, fingerprints_computed: 9 },
    b: { files: 8, files_in_other: 7 },
    shared_contents: 6,
    page_cache_alone: 17 * 4096,
    page_cache_shared: 10 * 4096,
  });
});

test('images of one tree are the same, however they are stored', async () => {
  const { exitCode, stdout } = await diff(fixture('plain-fp.erofs'), fixture('lz4hc-fp.erofs'));
  expect(exitCode).toBe(0);
  expect(stdout).not.toMatch(/^[-+!] /m);
  expect(stdout).not.toContain('Note:');
  expect(stdout).toContain('Both hold 4 contents');
});

test('fingerprints that are missing are computed, with a note', async () => {
  const { exitCode, stdout } = await diff(fixture('plain-fp.erofs'), fixture('zstd.erofs'));
  expect(exitCode).toBe(0);
  expect(stdout).toContain('Note: 5 of the 5 files of B have no fingerprint.');
});

test('extra devices go to the image that they belong to', async () => {
  const words = [
    '--device-b',
    fixture('chunk-blobdev.blob'),
    fixture('plain.erofs'),
    fixture('chunk-blobdev.erofs'),
  ];
  expect((await diff(...words)).exitCode).toBe(0);
});

test('--brief only tells whether they differ', async () => {
  const [old, young] = [scratch.join('old.erofs'), scratch.join('young.erofs')];
  expect(await diff('-q', old, young)).toEqual({
    exitCode: 1,
    stdout: `Images ${old} and ${young} differ\n`,
    stderr: '',
  });
  expect(await diff('-q', old, old)).toEqual({ exitCode: 0, stdout: '', stderr: '' });
});

test('trouble has an exit code of its own', async () => {
  expect((await diff(fixture('plain.erofs'))).exitCode).toBe(2);
  const { exitCode, stderr } = await diff(fixture('plain.erofs'), '/nowhere');
  expect(exitCode).toBe(2);
  expect(stderr).toBe('ishare: image diff: /nowhere: no such file or directory\n');
});
