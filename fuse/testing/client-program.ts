import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { directoryEntries } from '../../linux/testing/directory-entries';
import { seek, SEEK } from '../../linux/testing/file-position';
import { MAP, mappedBytes } from '../../linux/testing/mapped-bytes';
import { errorCode, errnoName } from '../../linux/errno';
import { cstring, lastErrno, native } from '../../linux/libc';
import { getXattr, listXattrs, setXattr } from '../../linux/xattr';

/**
 * What tests let another process do on a mount that they serve themselves: system calls that no shell command makes, and
 * that would block the serving thread. Called as `node client-program.js ACTION PATH [ARGUMENT]`; prints JSON.
 */
const actions = {
  /** [start, end) of each part with data. */
  dataRanges(path: string): [number, number][] {
    const fd = fs.openSync(path, 'r');
    const ranges: [number, number][] = [];
    for (let at = 0; ;) {
      try {
        const start = seek(fd, at, SEEK.DATA);
        at = seek(fd, start, SEEK.HOLE);
        ranges.push([start, at]);
      } catch (error) {
        if (errorCode(error) !== 'ENXIO') throw error;
        return ranges;
      }
    }
  },

  /** What comes from a position that nobody gave out: how many entries of a directory, or an errno for data of a file. */
  atFarPosition(path: string): number | string {
    const far = 2 ** 62;
    const fd = fs.openSync(path, 'r');
    if (fs.fstatSync(fd).isDirectory()) {
      seek(fd, far, SEEK.SET);
      return directoryEntries(fd, 4096).length;
    }
    try {
      seek(fd, far, SEEK.DATA);
      return 'found';
    } catch (error) {
      return errorCode(error) ?? String(error);
    }
  },

  /** Names read from the start, and names read from each of the positions that were met on the way. */
  directoryFromEverywhere(path: string): { all: string[]; rests: { position: number; names: string[] }[] } {
    const fd = fs.openSync(path, 'r');
    const readRest = () => {
      const entries = [];
      for (;;) {
        const some = directoryEntries(fd, 512);
        if (some.length === 0) return entries;
        entries.push(...some);
      }
    };
    const all = readRest();
    const names = (entries: typeof all) => entries.map(({ name }) => name.toString('latin1'));
    const rests = all.map(({ offset }) => {
      seek(fd, offset, SEEK.SET);
      return { position: offset, names: names(readRest()) };
    });
    return { all: names(all), rests };
  },

  /** Names (latin1) and values (hex) of all extended attributes. */
  xattrs(path: string): Record<string, string | undefined> {
    return Object.fromEntries(
      listXattrs(path).map((name) => [name.toString('latin1'), getXattr(path, name)?.toString('hex')]),
    );
  },

  /** Results of getxattr(2) and listxattr(2) with rooms of several sizes: a length, or an errno's name. */
  xattrRooms(path: string, name: string): { get: (number | string)[]; list: (number | string)[] } {
    const outcome = (result: number): number | string => (result < 0 ? errnoName(lastErrno()) : result);
    const rooms = [0, 1, 3, 64];
    return {
      get: rooms.map((room) =>
        outcome(native.lgetxattr(cstring(path), cstring(name), Buffer.alloc(64), room)),
      ),
      list: rooms.map((room) => outcome(native.llistxattr(cstring(path), Buffer.alloc(64), room))),
    };
  },

  /** The errno's name of everything that would change something. */
  writes(path: string): Record<string, string | undefined> {
    const attempts: Record<string, () => void> = {
      open: () => fs.closeSync(fs.openSync(path, 'r+')),
      append: () => fs.appendFileSync(path, 'x'),
      truncate: () => fs.truncateSync(path),
      chmod: () => fs.chmodSync(path, 0o777),
      utimes: () => fs.utimesSync(path, 1, 1),
      unlink: () => fs.unlinkSync(path),
      rename: () => fs.renameSync(path, `${path}.new`),
      link: () => fs.linkSync(path, `${path}.new`),
      symlink: () => fs.symlinkSync(path, `${path}.new`),
      mkdir: () => fs.mkdirSync(`${path}.new`),
      create: () => fs.writeFileSync(`${path}.new`, 'x'),
      setxattr: () => setXattr(path, 'user.new', Buffer.from('x')),
    };
    return Object.fromEntries(
      Object.entries(attempts).map(([what, attempt]) => {
        try {
          attempt();
          return [what, 'done'];
        } catch (error) {
          return [what, errorCode(error)];
        }
      }),
    );
  },

  /** SHA-256 of a file as it is mapped. */
  mapped(path: string, how: string): string {
    const fd = fs.openSync(path, 'r');
    const bytes = mappedBytes(fd, fs.fstatSync(fd).size, how === 'shared' ? MAP.SHARED : MAP.PRIVATE);
    return createHash('sha256').update(bytes).digest('hex');
  },

  /** Opens a file, says so, and reads it when a line comes on the standard input. */
  readLater(path: string): string {
    const fd = fs.openSync(path, 'r');
    process.stderr.write('open\n');
    fs.readSync(0, Buffer.alloc(16));
    return createHash('sha256').update(fs.readFileSync(fd)).digest('hex');
  },

  /** The errno's name of opening and reading. */
  read(path: string): string {
    try {
      return fs.readFileSync(path, 'latin1');
    } catch (error) {
      return errorCode(error) ?? 'no code';
    }
  },
} satisfies Record<string, (path: string, argument: string) => unknown>;

export type ClientActions = typeof actions;

if (require.main === module) {
  const [action = '', path = '', argument = ''] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(actions[action as keyof ClientActions](path, argument)));
}
