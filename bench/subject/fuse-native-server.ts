import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { directoryEntries, isDotOrDotDot } from '../../erofs/directory-entries';
import { ErofsImage, type Inode } from '../../erofs/image';

/**
 * Serves an EROFS image with fuse-native, the usual Node binding of libfuse 2, as one would write it: paths are looked
 * up, found inodes are kept. Arguments: the package's directory, the image and the mount point. Ends at SIGTERM.
 */

/** As much of the package as is used here. */
interface FuseNative {
  mount(done: (error: Error | null) => void): void;
  unmount(done: (error: Error | null) => void): void;
}
/** A negative errno, or 0 and what was asked for. */
type Answer<Value = never> = (status: number, value?: Value) => void;
type FuseNativeClass = new (target: string, operations: object, options: object) => FuseNative;

async function serve(packageDirectory: string, file: string, target: string): Promise<void> {
  const Fuse = createRequire(__filename)(packageDirectory) as FuseNativeClass;
  const image = await ErofsImage.open(file);
  const inodes = new Map<string, Promise<Inode>>([['/', image.inode(image.rootNid)]]);
  const find = (path: string): Promise<Inode> => {
    const known = inodes.get(path);
    if (known !== undefined) return known;
    const found = (async () => {
      const slash = path.lastIndexOf('/');
      const directory = await find(slash === 0 ? '/' : path.slice(0, slash));
      const entry = await image.lookup(directory, Buffer.from(path.slice(slash + 1)));
      if (entry === undefined) throw new AbsentError(path);
      return image.inode(entry.nid);
    })();
    inodes.set(path, found);
    found.catch(() => inodes.delete(path));
    return found;
  };
  const opened = new Map<number, Inode>();
  let nextHandle = 1;
  const operations = {
    getattr: (path: string, answer: Answer<object>) =>
      answering(answer, async () => attributes(await find(path))),
    readdir: (path: string, answer: Answer<string[]>) =>
      answering(answer, async () => {
        const names: string[] = [];
        for await (const entry of directoryEntries(image, await find(path))) {
          if (!isDotOrDotDot(entry.name)) names.push(entry.name.toString());
        }
        return names;
      }),
    open: (path: string, _flags: number, answer: Answer<number>) =>
      answering(answer, async () => {
        const handle = nextHandle++;
        opened.set(handle, await find(path));
        return handle;
      }),
    read: (
      _path: string,
      handle: number,
      buffer: Buffer,
      length: number,
      position: number,
      answer: Answer,
    ) => {
      const inode = opened.get(handle);
      if (inode === undefined) {
        answer(-constants.errno.EBADF);
        return;
      }
      image.read(inode, position, length).then(
        (bytes) => answer(bytes.copy(buffer)),
        () => answer(-constants.errno.EIO),
      );
    },
    release: (_path: string, handle: number, answer: Answer) => {
      opened.delete(handle);
      answer(0);
    },
    readlink: (path: string, answer: Answer<string>) =>
      answering(answer, async () => (await image.readlink(await find(path))).toString()),
  };
  const fuse = new Fuse(target, operations, { force: true, allowOther: true, kernelCache: true });
  process.on('SIGTERM', () => fuse.unmount(() => process.exit(0)));
  fuse.mount((error) => {
    if (error === null) return;
    console.error(error);
    process.exit(1);
  });
}

class AbsentError extends Error {}

function answering<Value>(answer: Answer<Value>, work: () => Promise<Value>): void {
  work().then(
    (value) => answer(0, value),
    (error: unknown) => {
      const { ENOENT, EIO } = constants.errno;
      answer(error instanceof AbsentError ? -ENOENT : -EIO);
    },
  );
}

function attributes({ mode, size, uid, gid, nlink, ino, mtime }: Inode): object {
  const time = new Date(mtime.seconds * 1000);
  const blocks = Math.ceil(size / 512);
  return { mode, size, uid, gid, nlink, ino, blocks, mtime: time, atime: time, ctime: time };
}

const [packageDirectory = '', file = '', target = ''] = process.argv.slice(2);
serve(packageDirectory, file, target).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
