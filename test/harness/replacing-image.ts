import { join } from 'node:path';
import type { LayerEntry } from '../../scripts/oci/layer-source';
import { writeOciArchive, type WrittenImage } from '../../scripts/oci/oci-archive';
import { busybox } from './host-programs';

const at = (path: string, type: LayerEntry['type'], more: Partial<LayerEntry> = {}): LayerEntry => ({
  path,
  type,
  modifiedSeconds: 1_650_000_000 + path.length,
  ...more,
});
const directory = (path: string, mode = 0o755): LayerEntry => at(path, 'directory', { mode });
const file = (path: string, content: string, mode = 0o644): LayerEntry => at(path, 'file', { content, mode });
const gone = (path: string): LayerEntry => {
  const slash = path.lastIndexOf('/') + 1;
  return file(`${path.slice(0, slash)}.wh.${path.slice(slash)}`, '');
};
const opaque = (path: string): LayerEntry => file(`${path}/.wh..wh..opq`, '');

/** Lower layers first. Each kind of entry takes the place of another one, goes, and comes back. */
const LAYERS: readonly (readonly LayerEntry[])[] = [
  [
    ...['.', 'bin', 'dev', 'etc', 'proc', 'run', 'sys', 'tmp'].map((path) => directory(path)),
    file('file-directory-file', 'first'),
    directory('directory-file-directory', 0o700),
    file('directory-file-directory/old', 'must not come back'),
    directory('removed-then-made'),
    file('removed-then-made/old', 'must not come back'),
    directory('removed-then-made/sub'),
    file('removed-then-made/sub/old', 'must not come back'),
    directory('opaque-twice'),
    file('opaque-twice/one', '1'),
    directory('deep'),
    directory('deep/er'),
    directory('deep/er/still'),
    file('deep/er/still/file', 'deep'),
    file('deep/er/other', 'other'),
    at('symlink-file', 'symlink', { target: 'deep/er/other' }),
    at('symlink-directory', 'symlink', { target: 'deep' }),
    file('file-symlink', 'file'),
    at('fifo-file', 'fifo'),
    file('file-device', 'file'),
    file('linked', 'one inode in the first layer'),
    // containerd gives a file the time of its last name, tar that of its first.
    at('link', 'link', { target: 'linked', modifiedSeconds: 1_650_000_000 + 'linked'.length }),
    file('mode-only', 'same bytes', 0o644),
    file('never-there-before', 'x'),
  ],
  [
    directory('file-directory-file'),
    file('file-directory-file/inside', 'second'),
    file('directory-file-directory', 'file'),
    gone('removed-then-made'),
    directory('opaque-twice', 0o711),
    opaque('opaque-twice'),
    file('opaque-twice/two', '2'),
    directory('deep'),
    directory('deep/er'),
    gone('deep/er/still'),
    file('symlink-file', 'no symlink'),
    gone('symlink-directory'),
    directory('symlink-directory'),
    file('symlink-directory/real', 'a directory of its own'),
    at('file-symlink', 'symlink', { target: '/nowhere' }),
    file('fifo-file', 'no fifo'),
    at('file-device', 'character-device', { device: { major: 1, minor: 5 }, mode: 0o640 }),
    // Only one of two names: the other one keeps what the first layer had.
    file('link', 'another inode in the second layer'),
    file('mode-only', 'same bytes', 0o4711),
    gone('was-never-there'),
  ],
  [
    file('file-directory-file', 'third'),
    directory('directory-file-directory', 0o750),
    file('directory-file-directory/new', 'new'),
    directory('removed-then-made'),
    file('removed-then-made/new', 'new'),
    directory('removed-then-made/sub'),
    directory('opaque-twice', 0o701),
    opaque('opaque-twice'),
    file('opaque-twice/three', '3'),
    directory('deep'),
    directory('deep/er'),
    directory('deep/er/still'),
    file('deep/er/still/new', 'new'),
    at('symlink-file', 'symlink', { target: 'elsewhere' }),
    file('mode-only', 'same bytes', 0o600),
    gone('never-there-before'),
  ],
];

/** An image whose layers replace each other's entries; every directory is an entry of its layer. */
export async function makeReplacingImage(directoryForArchive: string): Promise<WrittenImage> {
  const [first, ...rest] = LAYERS;
  return writeOciArchive(
    {
      reference: 'harness.local/replacing:1',
      layers: [
        { entries: [...(first ?? []), ...(await busybox())] },
        ...rest.map((entries) => ({ entries })),
      ],
      config: { entrypoint: ['/bin/sleep', '1000000'] },
    },
    join(directoryForArchive, 'replacing.tar'),
  );
}
