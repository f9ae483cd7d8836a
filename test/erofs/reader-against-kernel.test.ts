import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ErofsImage } from '../../erofs/image';
import { makeAwkwardTree } from './awkward-tree';
import { devicesOf } from './damaged-image';
import { systemMkfs } from '../../erofs/testing/erofs-utils';
import { KernelMount } from './kernel-mount';
import { TemporaryDirectory } from './temporary-directory';
import { describeHostTree, describeImage, portable, type TreeDescription } from './tree-description';

const fixtures = resolve('test/fixtures/erofs');
const images = readdirSync(fixtures).filter((name) => name.endsWith('.erofs'));

async function readerTree(image: string, devices: readonly string[]): Promise<TreeDescription> {
  await using opened = await ErofsImage.open(image, { devices });
  return await describeImage(opened);
}

function kernelTree(
  image: string,
  directory: TemporaryDirectory,
  devices: readonly string[],
): TreeDescription {
  using mounted = new KernelMount(image, directory.join('mounted'), devices);
  return describeHostTree(mounted.path);
}

describe('the reader sees what Linux sees', () => {
  test.each(images)('in the sample %s', async (name) => {
    using directory = new TemporaryDirectory();
    const image = join(fixtures, name);
    const devices = (devicesOf[name] ?? []).map((device) => join(fixtures, device));
    expect(await readerTree(image, devices)).toEqual(kernelTree(image, directory, devices));
  });

  let trees: TemporaryDirectory;
  let source: string;
  beforeAll(() => {
    trees = new TemporaryDirectory();
    source = trees.join('source');
    mkdirSync(source);
    makeAwkwardTree(source);
  });
  afterAll(() => trees[Symbol.dispose]());

  test.each([
    ['default options', []],
    ['in chunks of a block', ['--chunksize=4096']],
    ['in chunks of 64 KiB', ['--chunksize=65536']],
    ['without inline data', ['-Enoinline_data']],
    ['with extended inodes', ['-Eforce-inode-extended']],
    ['with every xattr inline', ['-x-1']],
    ['with every xattr shared', ['-x1']],
  ])('in an awkward tree, %s', async (_title, options) => {
    using directory = new TemporaryDirectory();
    const image = directory.join('image.erofs');
    execFileSync('mkfs.erofs', ['--quiet', ...options, image, source], { timeout: 60_000, stdio: 'pipe' });
    const ours = await readerTree(image, []);
    expect(ours).toEqual(kernelTree(image, directory, []));
    if (options[0] !== '-x-1') expect(portable(ours)).toEqual(portable(describeHostTree(source)));
  });

  test('in an awkward tree, with its content on another device', async () => {
    using directory = new TemporaryDirectory();
    const [image, blob] = [directory.join('image.erofs'), directory.join('blob')];
    systemMkfs.run('--quiet', '--chunksize=4096', `--blobdev=${blob}`, image, source);
    const ours = await readerTree(image, [blob]);
    expect(ours).toEqual(kernelTree(image, directory, [blob]));
    expect(portable(ours)).toEqual(portable(describeHostTree(source)));
  });
});
