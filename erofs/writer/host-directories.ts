import { closeSync, constants, openSync } from 'node:fs';
import { UnrepresentableError } from './errors';

/** Linux takes paths of at most 4096 bytes with their NUL; a name of 255 bytes must still fit behind a directory's. */
const PATH_BYTES_MAX = 4096 - 1 - 256;

/** Descriptors for one tree: they count against the whole process, and nobody's tree may use them up. */
const DESCRIPTORS_MAX = 64;

const SLASH = Buffer.from('/');

/** A directory of the host while its files are to be read. */
export interface HostDirectory {
  /** How system calls reach it. */
  readonly path: Buffer;
  /** How people know it. */
  readonly shown: string;
}

/**
 * The directories of a tree that is deeper than paths may be long: where a path grows too long, a descriptor of the
 * directory takes its place. Dispose of it once no file of the tree is read any more.
 */
export class HostDirectories implements Disposable {
  readonly #descriptors: number[] = [];

  /** The topmost directory. */
  top(path: string): HostDirectory {
    return { path: Buffer.from(path), shown: path };
  }

  /** The directory `name` in `parent`. Throws UnrepresentableError where the tree is deeper than anybody builds. */
  child(parent: HostDirectory, name: Buffer): HostDirectory {
    const path = Buffer.concat([parent.path, SLASH, name]);
    const shown = `${parent.shown}/${name.toString('utf8')}`;
    if (path.length <= PATH_BYTES_MAX) return { path, shown };
    if (this.#descriptors.length >= DESCRIPTORS_MAX) {
      throw new UnrepresentableError(
        `${shown.slice(0, 200)}...`,
        `its path takes ${shown.length} characters, and there are ${DESCRIPTORS_MAX} such directories already`,
      );
    }
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    this.#descriptors.push(descriptor);
    return { path: Buffer.from(`/proc/self/fd/${descriptor}`), shown };
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#descriptors.splice(0)) closeSync(descriptor);
  }
}

/** The path of an entry for system calls. */
export function entryPath(directory: HostDirectory, name: Buffer): Buffer {
  return Buffer.concat([directory.path, SLASH, name]);
}
