import { appendFile, chmod, lstat, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayerEntry } from '../../scripts/oci/layer-source';
import { writeOciArchive, type WrittenImage } from '../../scripts/oci/oci-archive';
import { runCommand } from '../../scripts/process/command';
import { ContainerHost, ownNamespace, type Place } from '../harness/container-host';

const LAYERS = 6;
const FILES = 40;
const namespace = ownNamespace('numbers');

let host: ContainerHost;
let image: WrittenImage;

beforeAll(async () => {
  host = await ContainerHost.start({ ishare: { domains: { namespaces: { [namespace]: 'one' } } } });
  image = await makeSimilarLayers(host.directory);
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

describe.each([
  ['one domain', { namespace, snapshotter: 'ishare' }],
  ['no domain', { namespace: ownNamespace('numbers-apart'), snapshotter: 'ishare' }],
])('in %s', (_, place: Place) => {
  beforeAll(() => host.import([image], place));

  test('no two files have one device and inode number, unless they are links of each other in one layer', async () => {
    await using tree = await host.mountTree(image, place);
    expect(await groupsIn(tree.path)).toEqual(linksOfImage());
  });

  test('the same holds beside files that the container has changed and made', async () => {
    await using tree = await host.mountTree(image, place);
    for (let layer = 0; layer < LAYERS; layer++) {
      await appendFile(join(tree.path, `layer-${layer}`, 'file-0'), 'changed');
      await chmod(join(tree.path, `layer-${layer}`, 'file-1'), 0o600);
      await writeFile(join(tree.path, `layer-${layer}`, 'new'), 'new');
    }
    expect(await groupsIn(tree.path)).toEqual(linksOfImage());
  });

  test('files with hard links show how many they have', async () => {
    await using tree = await host.mountTree(image, place);
    for (let layer = 0; layer < LAYERS; layer++) {
      expect((await lstat(join(tree.path, `layer-${layer}`, 'link-a'))).nlink).toBe(3);
      expect((await lstat(join(tree.path, `layer-${layer}`, 'file-1'))).nlink).toBe(1);
    }
  });

  test('tar packs the rootfs without false hard links', async () => {
    await using tree = await host.mountTree(image, place);
    const archive = join(host.directory, 'packed.tar');
    await runCommand('tar', ['-cf', archive, '-C', tree.path, '.'], { timeLimit: 60_000 });
    const { stdout } = await runCommand('tar', ['-tvf', archive], { timeLimit: 60_000 });
    // The first of three names is the file, the others are links to it.
    const links = stdout.split('\n').filter((line) => line.includes(' link to '));
    expect(links).toHaveLength(2 * LAYERS);
    expect(links.every((line) => /layer-(\d)\/link-\w link to \.\/layer-\1\/link-\w$/.test(line))).toBe(true);
  });
});

/** Layers of the same shape: their images number their inodes alike. Content is the same too, so that all is shared. */
async function makeSimilarLayers(directory: string): Promise<WrittenImage> {
  const layers = Array.from({ length: LAYERS }, (_, layer) => {
    const root = `layer-${layer}`;
    const entries: LayerEntry[] = [{ path: root, type: 'directory' }];
    for (let index = 0; index < FILES; index++) {
      entries.push({ path: `${root}/file-${index}`, type: 'file', content: `content ${index}` });
    }
    entries.push({ path: `${root}/link-a`, type: 'file', content: 'linked' });
    for (const name of ['link-b', 'link-c']) {
      entries.push({ path: `${root}/${name}`, type: 'link', target: `${root}/link-a` });
    }
    entries.push({ path: `${root}/symlink`, type: 'symlink', target: 'file-0' });
    return { entries };
  });
  return writeOciArchive(
    { reference: 'harness.local/similar-layers:1', layers, config: { entrypoint: ['/none'] } },
    join(directory, 'similar-layers.tar'),
  );
}

function linksOfImage(): string[][] {
  return Array.from({ length: LAYERS }, (_, layer) =>
    ['link-a', 'link-b', 'link-c'].map((name) => `layer-${layer}/${name}`),
  );
}

/** Paths with the same device and inode number, directories included; single ones are left out. */
async function groupsIn(root: string): Promise<string[][]> {
  const paths = ['.', ...(await readdir(root, { recursive: true }))].sort();
  expect(paths.length).toBeGreaterThan(LAYERS * FILES);
  const groups = new Map<string, string[]>();
  for (const path of paths) {
    const { dev, ino } = await lstat(join(root, path), { bigint: true });
    const group = groups.get(`${dev}:${ino}`) ?? [];
    groups.set(`${dev}:${ino}`, [...group, path]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}
