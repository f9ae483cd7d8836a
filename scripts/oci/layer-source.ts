import { spawn } from 'node:child_process';
import { constants, createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack, type Header, type Pack } from 'tar-stream';

/** One tar entry made in memory. Times are whole seconds since the epoch, as plain tar headers hold them. */
export interface LayerEntry {
  /** Relative to the image's root, without a leading slash. A whiteout is a file `.wh.NAME`, an opaque mark `.wh..wh..opq`. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'link' | 'character-device' | 'block-device' | 'fifo';
  /** Permission bits with setuid, setgid and sticky. Default 0755 for directories, 0644 else. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly modifiedSeconds?: number;
  /** Content of a file: bytes, or a file of the host that is streamed. */
  readonly content?: string | Buffer | { readonly file: string; readonly size: number };
  /** Target of a symlink, or the path of the entry that a hard link names. */
  readonly target?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  /** Extended attributes by full name; values are text here, since tar-stream writes pax records as UTF-8. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

/** Where the bytes of one layer come from: a directory with all that it holds, entries, or a ready tar stream. */
export type LayerSource =
  | {
      readonly directory: string;
      /** Entries that are younger get this modification time, in seconds since the epoch, as reproducible builds do. */
      readonly modifiedSeconds?: number;
    }
  | { readonly entries: Iterable<LayerEntry> | AsyncIterable<LayerEntry> }
  | { readonly tar: () => Readable };

/** The uncompressed tar stream of a layer. Each call gives the same bytes as long as the source is unchanged. */
export function tarOfLayer(source: LayerSource): Readable {
  if ('directory' in source) return tarOfDirectory(source.directory, source.modifiedSeconds);
  if ('entries' in source) return tarOfEntries(source.entries);
  return source.tar();
}

/**
 * The system's tar keeps what Node cannot see: extended attributes, ACLs (as xattrs, which is how containerd reads
 * them), sparse files, names that are not UTF-8. Access and change times are left out, so that the same tree
 * gives the same bytes.
 */
function tarOfDirectory(directory: string, modifiedSeconds: number | undefined): Readable {
  const args = [
    '--create',
    '--format=pax',
    '--sort=name',
    '--numeric-owner',
    '--xattrs',
    '--xattrs-include=*',
  ];
  args.push('--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime');
  if (modifiedSeconds !== undefined) args.push('--clamp-mtime', `--mtime=@${modifiedSeconds}`);
  args.push('--directory', directory, '.');
  const child = spawn('tar', args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
  });
  const stderr: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  return Readable.from(
    (async function* () {
      const ended = new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', resolve);
      });
      // The rejection is taken below; without a handler it would be reported while the stream is still read.
      ended.catch(() => undefined);
      try {
        yield* child.stdout;
        const code = await ended;
        if (code !== 0) {
          throw new Error(
            `tar of ${directory} ended with ${code ?? 'a signal'}: ${Buffer.concat(stderr).toString()}`,
          );
        }
      } finally {
        child.kill('SIGKILL');
      }
    })(),
    { objectMode: false },
  );
}

function tarOfEntries(entries: Iterable<LayerEntry> | AsyncIterable<LayerEntry>): Readable {
  const stream = pack();
  void (async () => {
    try {
      for await (const entry of entries) await packEntry(stream, entry);
      stream.finalize();
    } catch (error) {
      stream.destroy(error as Error);
    }
  })();
  // tar-stream brings streamx; the generator makes it a stream of Node's.
  return Readable.from(stream, { objectMode: false });
}

const S_IFREG = constants.S_IFREG;

async function packEntry(stream: Pack, entry: LayerEntry): Promise<void> {
  const header: Partial<Header> & Pick<Header, 'name'> = {
    name: entry.type === 'directory' && !entry.path.endsWith('/') ? `${entry.path}/` : entry.path,
    type: entry.type,
    // A type bit goes along, since tar-stream takes mode 0 for a missing one; it writes the low twelve bits only.
    mode: S_IFREG | (entry.mode ?? (entry.type === 'directory' ? 0o755 : 0o644)),
    uid: entry.uid ?? 0,
    gid: entry.gid ?? 0,
    mtime: new Date((entry.modifiedSeconds ?? 0) * 1000),
    ...(entry.target === undefined ? {} : { linkname: entry.target }),
    ...(entry.device === undefined ? {} : { devmajor: entry.device.major, devminor: entry.device.minor }),
    ...(entry.xattrs === undefined ? {} : { pax: paxRecords(entry.xattrs) }),
  };
  const { content } = entry;
  if (typeof content === 'object' && 'file' in content && content.size > 0) {
    const sink = stream.entry({ ...header, size: content.size });
    // The end is fixed, so that a file that grows meanwhile does not break the archive.
    await pipeline(
      createReadStream(content.file, { end: content.size - 1 }),
      sink as unknown as NodeJS.WritableStream,
    );
    return;
  }
  const bytes = typeof content === 'object' && 'file' in content ? '' : (content ?? '');
  await new Promise<void>((resolve, reject) => {
    stream.entry(header, bytes, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

function paxRecords(xattrs: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(xattrs).map(([name, value]) => [`SCHILY.xattr.${name}`, value]));
}
