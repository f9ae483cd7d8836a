import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ErofsImage } from '../../erofs/image';
import { resolvePath } from '../../erofs/path-resolution';
import { makeDevice, makeNode } from '../../linux/device-node';
import { getXattr, setXattr } from '../../linux/xattr';
import { runCommand } from '../../scripts/process/command';
import { makeAwkwardTree } from '../erofs/awkward-tree';
import { newerTool } from '../../erofs/testing/erofs-utils';
import { KernelMount } from '../erofs/kernel-mount';
import { describeHostTree, portable } from '../erofs/tree-description';
import { ForegroundCommand, imageCommand, ISHARE, type CommandEnd } from '../harness/image-command';
import { Scratch } from '../harness/scratch';

let scratch: Scratch;
let source: string;
let image: string;

beforeEach(async () => {
  scratch = await Scratch.make();
  source = scratch.in('source');
  image = scratch.in('out', 'image.erofs');
  await mkdir(source);
  await mkdir(scratch.in('out'));
});
afterEach(() => scratch[Symbol.asyncDispose]());

/** A result as `--json` prints it. */
type Result = Readonly<Record<string, unknown>>;

async function build(from: string, ...options: readonly string[]): Promise<Result> {
  const { exitCode, stdout, stderr } = await imageCommand('build', '--json', ...options, from, image);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return JSON.parse(stdout) as Result;
}

/** Text that compresses well, of a size that fills several pclusters. */
async function writeText(name: string, lines = 20_000): Promise<void> {
  const text = Array.from({ length: lines }, (_, line) => `line ${line} of ${name}\n`);
  await writeFile(scratch.in('source', name), text.join(''));
}

async function onlyTheImage(): Promise<void> {
  expect(await readdir(scratch.in('out'))).toEqual(['image.erofs']);
}

describe('a directory', () => {
  test('becomes an image in which Linux shows the same tree', async () => {
    makeAwkwardTree(source);
    const result = await build(source, '--compress', 'zstd,5', '--pcluster-size', '128K', '--threads', '3');
    await onlyTheImage();
    expect(result).toMatchObject({ image, bytes: (await stat(image)).size });
    using mounted = new KernelMount(image, scratch.in('mounted'));
    expect(portable(describeHostTree(mounted.path))).toEqual(portable(describeHostTree(source)));
    newerTool('fsck.erofs')?.run('--extract', image);
  });

  test('gives an image like any file of its maker, and a line about it', async () => {
    await writeText('text', 100);
    const { stdout } = await runCommand(
      'sh',
      ['-c', 'umask 027; exec "$@"', 'sh', ISHARE, 'image', 'build', source, image],
      {
        timeLimit: 20_000,
      },
    );
    expect(stdout).toBe(`${image}: 8.0 KiB, 2 inodes, 1.6 KiB of content in 1 file\n`);
    expect((await stat(image)).mode & 0o777).toBe(0o640);
  });

  test('is compressed as options and rules say, with the same bytes whatever the threads', async () => {
    await writeText('a.txt');
    await writeText('b.log');
    await writeText('c.bin');
    const options = [
      '--compress',
      'lz4hc,9',
      '--compress-rule',
      'b.*=zstd,3',
      '--compress-rule',
      '*.bin=none',
    ];
    const result = await build(source, ...options, '--threads', '1');
    expect(result).toMatchObject({ inodes: 4, files: 3, compressed_files: 2 });
    expect(result['codecs']).toEqual([
      expect.stringMatching(/^liblz4 1\./),
      expect.stringMatching(/^libzstd 1\./),
    ]);
    expect(result['compression_ratio']).toBeLessThan(0.6);
    const bytes = await readFile(image);
    await build(source, ...options, '--threads', '4');
    expect((await readFile(image)).equals(bytes)).toBe(true);
  });

  test('has its fingerprints in the attribute that was named', async () => {
    await writeText('text', 10);
    await build(source, '--xattr-inode-digest', 'trusted.mine');
    using mounted = new KernelMount(image, scratch.in('mounted'));
    const digest = createHash('sha256')
      .update(await readFile(scratch.in('source', 'text')))
      .digest();
    const value = getXattr(`${mounted.path}/text`, Buffer.from('trusted.mine'));
    expect(value).toEqual(Buffer.concat([Buffer.from('sha256:'), digest]));
  });

  test('of overlayfs keeps its whiteouts and loses what overlayfs noted for itself', async () => {
    makeNode(scratch.in('source', 'gone'), 0o020000, makeDevice(0, 0));
    setXattr(source, Buffer.from('trusted.overlay.impure'), Buffer.from('y'));
    await build(source, '--overlay');
    using mounted = new KernelMount(image, scratch.in('mounted'));
    expect((await stat(`${mounted.path}/gone`)).isCharacterDevice()).toBe(true);
    expect(describeHostTree(mounted.path).get('/')?.xattrs).toEqual({});
  });

  test('with .wh. files hides what they name', async () => {
    await writeFile(scratch.in('source', '.wh.gone'), '');
    await build(source, '--whiteouts', 'aufs');
    using mounted = new KernelMount(image, scratch.in('mounted'));
    expect(await readdir(mounted.path)).toEqual(['gone']);
    expect((await stat(`${mounted.path}/gone`)).isCharacterDevice()).toBe(true);
  });
});

describe('a tar', () => {
  beforeEach(async () => {
    await writeText('text');
    execFileSync('tar', ['-C', source, '-cf', scratch.in('layer.tar'), '.']);
  });

  async function expectText(): Promise<void> {
    await using opened = await ErofsImage.open(image);
    const inode = await resolvePath(opened, Buffer.from('/text'), true);
    const content = await opened.read(inode, 0, inode.size);
    expect(content.equals(await readFile(scratch.in('source', 'text')))).toBe(true);
  }

  test.each(['cat', 'gzip -c', 'zstd -c'])('is read from a file, made by %s', async (program) => {
    execFileSync('sh', ['-c', `${program} layer.tar > layer`], { cwd: scratch.path });
    await build(scratch.in('layer'));
    await expectText();
  });

  test.each(['<', '|'])('is read from standard input, with %s', async (how) => {
    const words = `"${ISHARE}" image build - "${image}"`;
    const line = how === '<' ? `${words} < layer.tar` : `cat layer.tar | ${words}`;
    await runCommand('sh', ['-c', line], { directory: scratch.path, timeLimit: 20_000 });
    await expectText();
  });

  test('has its implied parents from the image below', async () => {
    const parent = scratch.in('source', 'parent');
    await mkdir(parent, { mode: 0o750 });
    await build(source);
    const lower = scratch.in('lower.erofs');
    execFileSync('mv', [image, lower]);
    await writeFile(`${parent}/child`, 'x');
    execFileSync('tar', ['-C', source, '-cf', scratch.in('layer.tar'), 'parent/child']);
    await build(scratch.in('layer.tar'), '--lower', lower);
    await using opened = await ErofsImage.open(image);
    expect((await resolvePath(opened, Buffer.from('/parent'), true)).mode & 0o7777).toBe(0o750);
  });

  test('that is damaged is named, with the place, and leaves the old image as it was', async () => {
    await build(source);
    const before = await readFile(image);
    await truncate(scratch.in('layer.tar'), 5000);
    const { exitCode, stderr } = await imageCommand('build', scratch.in('layer.tar'), image);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^ishare: image build: .*layer\.tar, .*at byte \d+: [^\n]+\n$/);
    expect((await readFile(image)).equals(before)).toBe(true);
    await onlyTheImage();
  });

  test('that nobody writes does not keep Ctrl-C waiting', async () => {
    execFileSync('mkfifo', [scratch.in('fifo')]);
    const writer = spawn('sh', ['-c', `exec sleep 100 > "${scratch.in('fifo')}"`], { stdio: 'ignore' });
    try {
      await using command = new ForegroundCommand('build', scratch.in('fifo'), image);
      await command.opens(scratch.in('fifo'));
      command.signal('SIGINT');
      expect(await command.ends()).toBe(130);
      expect(await readdir(scratch.in('out'))).toEqual([]);
    } finally {
      const exited = once(writer, 'exit');
      writer.kill('SIGKILL');
      await exited;
    }
  });
});

describe('a build that is called off', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s leaves the old image, and nothing else', async (signal, exitCode) => {
    await writeFile(image, 'the old one');
    await writeFile(scratch.in('source', 'endless'), '');
    // Hashing this takes minutes.
    await truncate(scratch.in('source', 'endless'), 2 ** 37);
    await using command = new ForegroundCommand('build', '--json', source, image);
    await command.opens(scratch.in('out'));
    command.signal(signal);
    expect(await command.ends()).toBe(exitCode);
    expect(command.stdout + command.stderr).toBe('');
    expect(await readFile(image, 'utf8')).toBe('the old one');
    await onlyTheImage();
  });
});

describe('on a terminal', () => {
  async function terminal(...options: readonly string[]): Promise<string> {
    const words = [ISHARE, 'image', 'build', ...options, source, image].map((word) => `'${word}'`).join(' ');
    const { stdout } = await runCommand('script', ['--quiet', '--return', '--command', words, '/dev/null'], {
      timeLimit: 20_000,
    });
    return stdout;
  }

  test('it shows how far it is, but not between lines of JSON', async () => {
    for (let number = 0; number < 40; number += 1) await writeText(`file-${number}`);
    expect(await terminal()).toMatch(/Writing the image .*%/s);
    expect(JSON.parse(await terminal('--json'))).toMatchObject({ image, files: 40 });
  });
});

describe('it refuses', () => {
  async function refused(end: Promise<CommandEnd>, message: RegExp): Promise<void> {
    const { exitCode, stdout, stderr } = await end;
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(await readdir(scratch.in('out'))).toEqual([]);
  }

  test('sources and places that are not there', async () => {
    const missing = scratch.in('missing');
    await refused(imageCommand('build', missing, image), /missing: no such file or directory\n$/);
    await refused(
      imageCommand('build', source, `${missing}/image`),
      /^ishare: image build: .*\/missing: no such file/,
    );
    await refused(imageCommand('build', source, scratch.path), /is there, and is no regular file/);
  });

  test('options that do not fit the source', async () => {
    const tar = resolve('test/fixtures/erofs/src.tar');
    await refused(imageCommand('build', '--overlay', tar, image), /--overlay is for a directory/);
    await refused(imageCommand('build', '--whiteouts', 'aufs', tar, image), /--whiteouts is for a directory/);
    await refused(imageCommand('build', '--lower', image, source, image), /--lower is for a tar/);
    await refused(imageCommand('build', '--lower', tar, tar, image), /src\.tar, .*no EROFS image/);
    const both = ['--overlay', '--whiteouts', 'aufs'];
    await refused(imageCommand('build', ...both, source, image), /whiteouts of one kind/);
  });

  test.each([
    [['--compress', 'gzip'], /none of: none, lz4, lz4hc, zstd/],
    [['--compress', 'zstd,23'], /zstd has levels from 1 to 22, not 23/],
    [['--compress', 'lz4', '--pcluster-size', '3M'], /pclusters of 3145728 bytes/],
    [['--compress-rule', 'none'], /PATTERN=ENCODER/],
    [['--threads', '0'], /whole number from 1/],
    [['--xattr-inode-digest', 'user.'], /cannot be the name of the fingerprint attribute/],
  ])('%p', async (options, message) => {
    await refused(imageCommand('build', ...options, source, image), message);
  });
});
