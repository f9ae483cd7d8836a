import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ErofsPathError } from './errors';
import { ErofsImage } from './image';
import { resolvePath } from './path-resolution';

let scratch: string;
let image: ErofsImage;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'ishare-paths-'));
  const source = join(scratch, 'source');
  mkdirSync(join(source, 'dir', 'deep'), { recursive: true });
  writeFileSync(join(source, 'file'), 'at the root');
  writeFileSync(join(source, 'dir', 'file'), 'in dir');
  writeFileSync(join(source, 'dir', 'deep', 'file'), 'in deep');
  const links: [string, string][] = [
    ['to-file', 'file'],
    ['to-dir', 'dir'],
    ['to-dir-slash', 'dir/'],
    ['absolute', '/dir/deep'],
    ['out', '../../../../dir/file'],
    ['dangling', 'nowhere'],
    ['loop', 'pool'],
    ['pool', 'loop'],
    ['growing', 'growing/x'],
    ['file-slash', 'file/'],
    ['dir/up', '../file'],
  ];
  for (let index = 1; index <= 41; index++)
    links.push([`chain-${index}`, index === 1 ? 'file' : `chain-${index - 1}`]);
  for (const [name, target] of links) symlinkSync(target, join(source, name));
  execFileSync('mkfs.erofs', ['--quiet', join(scratch, 'image.erofs'), source], {
    timeout: 20_000,
    stdio: 'pipe',
  });
  image = await ErofsImage.open(join(scratch, 'image.erofs'));
});

afterAll(async () => {
  await image[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true });
});

/** The content of the file that a path leads to. */
async function contentOf(path: string): Promise<string> {
  const inode = await resolvePath(image, Buffer.from(path), true);
  return (await image.read(inode, 0, 100)).toString();
}

async function codeOf(path: string, followLast = true): Promise<string> {
  try {
    await resolvePath(image, Buffer.from(path), followLast);
    return 'found';
  } catch (error) {
    expect(error).toBeInstanceOf(ErofsPathError);
    return (error as ErofsPathError).code;
  }
}

test.each([
  ['file', 'at the root'],
  ['/file', 'at the root'],
  ['//dir///deep/./file', 'in deep'],
  ['dir/deep/../file', 'in dir'],
  ['../../file', 'at the root'],
  ['to-file', 'at the root'],
  ['to-dir/file', 'in dir'],
  ['to-dir-slash/file', 'in dir'],
  ['to-dir-slash/../file', 'at the root'],
  ['absolute/file', 'in deep'],
  ['dir/deep/../../absolute/../file', 'in dir'],
  ['out', 'in dir'],
  ['dir/up', 'at the root'],
  ['chain-40', 'at the root'],
])('%s leads to the file %s', async (path, content) => {
  expect(await contentOf(path)).toBe(content);
});

test.each([
  ['nowhere', 'ENOENT'],
  ['dir/nowhere/file', 'ENOENT'],
  ['dangling', 'ENOENT'],
  ['file/below', 'ENOTDIR'],
  ['file/', 'ENOTDIR'],
  ['file/.', 'ENOTDIR'],
  ['to-file/', 'ENOTDIR'],
  ['file-slash', 'ENOTDIR'],
  ['loop', 'ELOOP'],
  ['growing', 'ELOOP'],
  ['chain-41', 'ELOOP'],
])('%s fails with %s', async (path, code) => {
  expect(await codeOf(path)).toBe(code);
});

test('the last component is followed only where that is asked for, or a slash ends the path', async () => {
  expect(await codeOf('dangling', false)).toBe('found');
  const link = await resolvePath(image, Buffer.from('to-dir'), false);
  const directory = await resolvePath(image, Buffer.from('dir'), false);
  expect(link.nid).not.toBe(directory.nid);
  expect((await resolvePath(image, Buffer.from('to-dir/'), false)).nid).toBe(directory.nid);
});

test('no names lead to the root', async () => {
  for (const path of ['', '/', '.', '..', '/../.'])
    expect((await resolvePath(image, Buffer.from(path), false)).nid).toBe(image.rootNid);
});
