import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { readDirectoryTree } from '../../erofs/writer/from-directory';
import { HostDirectories } from '../../erofs/writer/host-directories';
import { Pace } from '../../erofs/writer/pace';
import { TYPE } from '../../erofs/writer/tar/header';
import {
  directoryMember,
  END,
  header,
  linkMember,
  member,
  pax,
  symlinkMember,
} from '../../erofs/writer/tar/testing/craft-tar';
import { ReadLayer } from '../../erofs/writer/tar/testing/read-layer';
import { differences, expectedObservation, type Observation } from '../../erofs/writer/testing/observation';
import { PrivateContainerd } from '../../scripts/containerd/private-containerd';
import { writeOciArchive, type WrittenImage } from '../../scripts/oci/oci-archive';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import { makeDemandingImage } from '../harness/demanding-image';

/** Where containerd keeps what it has imported, below its root. */
const SNAPSHOTS = 'root/io.containerd.snapshotter.v1.overlayfs/snapshots';
const BLOBS = 'root/io.containerd.content.v1.content/blobs/sha256';

interface UnpackedLayer {
  /** The layer's blob. */
  readonly tar: string;
  /** Upper directory of overlayfs that containerd has unpacked it into. */
  readonly directory: string;
}

/** Has containerd unpack an image, and gives its layers, the lowest first, while they are there. */
async function withUnpacked(
  image: WrittenImage,
  directory: string,
  look: (layers: readonly UnpackedLayer[]) => Promise<void>,
): Promise<void> {
  await using containerd = await PrivateContainerd.start({ directory: join(directory, 'c') });
  await containerd.import(image.archive, { namespace: `tar-${process.pid}`, snapshotter: 'overlayfs' });
  const snapshots = join(containerd.directory, SNAPSHOTS);
  // Layers are unpacked one after the other, and numbered in this order.
  const numbers = readdirSync(snapshots)
    .map(Number)
    .sort((one, other) => one - other);
  expect(numbers).toHaveLength(image.layers.length);
  await look(
    image.layers.map(({ digest }, index) => ({
      tar: join(containerd.directory, BLOBS, digest.replace('sha256:', '')),
      directory: join(snapshots, String(numbers[index]), 'fs'),
    })),
  );
}

async function observedDirectory(directory: string): Promise<Observation> {
  using directories = new HostDirectories();
  return expectedObservation(
    await readDirectoryTree({ directory, overlay: true }, directories, new Pace(undefined)),
  );
}

/**
 * In what a layer and what containerd made of it differ. Left out is what containerd means to be otherwise: it takes no
 * entry for the root and no `trusted.` attribute, keeps no time before 1970, and lets whiteouts and directories without
 * an entry have the time of day.
 */
function differencesFrom(unpacked: Observation, layer: Observation): string[] {
  const young = new Set(
    unpacked.filter((line) => Number(MTIME.exec(line)?.[1]) / 1e6 >= startTime).map(nameOf),
  );
  const comparable = (lines: Observation): Observation =>
    lines
      .filter((line) => nameOf(line) !== '""' && !nameOf(line).startsWith('"/times'))
      .map((line) => line.replace(/trusted\.kept=[0-9a-f]+(, )?/, ''))
      .map((line) => (young.has(nameOf(line)) ? line.replace(MTIME, '') : line));
  return differences(comparable(layer), comparable(unpacked));
}

const startTime = Date.now();
const MTIME = / mtime (-?[0-9]+)/;

function nameOf(line: string): string {
  return line.slice(0, line.search(/ (?:mode|=) /));
}

test('an image with everything that layers can hold reads as containerd unpacks it', async () => {
  await using directory = await TemporaryDirectory.create();
  await withUnpacked(await makeDemandingImage(directory.path), directory.path, async (layers) => {
    for (const { tar, directory: unpacked } of layers) {
      using layer = await ReadLayer.of({ tar });
      const expected = await observedDirectory(unpacked);
      expect(expected.length).toBeGreaterThan(1);
      expect(differencesFrom(expected, layer.observation)).toEqual([]);
    }
  });
});

test('odd entries read as containerd unpacks them', async () => {
  const lower = Buffer.concat([
    ...['etc', 'opaque', 'opaque/sub'].map((name) => directoryMember(name, { mode: 0o751, uid: 3, gid: 4 })),
    ...['gone', 'opaque/old'].map((name) => member({ name }, 'old')),
    END,
  ]);
  const upper = Buffer.concat([
    member({ name: './etc/deep/file' }, 'x'),
    member({ name: '/absolute/file' }, 'x'),
    member({ name: '../../above/file' }, 'x'),
    member({ name: 'a/../beside/file' }, 'x'),
    symlinkMember('relative', 'real/directory'),
    member({ name: 'relative/file' }, 'x'),
    symlinkMember('slash', '/rooted'),
    member({ name: 'slash/file' }, 'x'),
    symlinkMember('deep/up', '../../../../escaped'),
    member({ name: 'deep/up/file' }, 'x'),
    member({ name: 'twice' }, 'first'),
    member({ name: 'twice', mode: 0o600 }, 'second'),
    member({ name: 'directory-goes/file' }, 'x'),
    member({ name: 'directory-goes' }, 'a file'),
    directoryMember('again', { uid: 1 }),
    member({ name: 'again/file' }, 'x'),
    directoryMember('again/', { uid: 2, mode: 0o711 }),
    member({ name: 'hard' }, 'x'),
    linkMember('links/hard', '/hard'),
    linkMember('links/chain', './links/hard'),
    symlinkMember('symlink', 'nowhere'),
    header({ name: 'hard-symlink', type: TYPE.LINK, link: 'symlink' }),
    member({ name: 'replaced' }, 'old'),
    linkMember('keeps', 'replaced'),
    member({ name: 'replaced' }, 'new'),
    member({ name: '.wh.gone', uid: 7, gid: 8 }),
    member({ name: '.wh.back' }),
    member({ name: 'back' }, 'added'),
    member({ name: 'opaque/new' }, 'x'),
    member({ name: 'opaque/.wh..wh..opq' }),
    member({ name: 'opaque/sub/file' }, 'x'),
    header({ name: 'device', type: TYPE.CHARACTER_DEVICE, major: 1, minor: 3 }),
    header({ name: 'fifo', type: TYPE.FIFO, mode: 0o600 }),
    pax([
      ['SCHILY.xattr.security.capability', Buffer.from('0100000200040000000000000000000000000000', 'hex')],
    ]),
    member({ name: 'program', mode: 0o6755, uid: 1000 }, 'x'),
    END,
  ]);
  await using directory = await TemporaryDirectory.create();
  const image = await writeOciArchive(
    {
      reference: 'harness.local/odd:1',
      layers: [lower, upper].map((bytes) => ({ tar: () => Readable.from([bytes]) })),
      config: {},
    },
    join(directory.path, 'odd.tar'),
  );
  await withUnpacked(image, directory.path, async ([below, above]) => {
    const belowImage = join(directory.path, 'below.erofs');
    execFileSync('mkfs.erofs', [belowImage, below!.directory], { stdio: 'ignore', timeout: 30_000 });
    using layer = await ReadLayer.of({ tar: above!.tar, lower: [belowImage] });
    expect(differencesFrom(await observedDirectory(above!.directory), layer.observation)).toEqual([]);
  });
});
