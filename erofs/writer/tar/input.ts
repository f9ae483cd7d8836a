import { closeSync, constants, createReadStream, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { duplicateDescriptor } from '../../../linux/duplicate-descriptor';
import { UnrepresentableError } from '../errors';

/** Bytes that are read from a file at once. */
const PIECE = 256 * 1024;

/** Names of descriptors that this process was started with. */
const INHERITED = /^\/(?:dev\/stdin|dev\/fd\/([0-9]+)|proc\/self\/fd\/([0-9]+))$/;

/**
 * The bytes of a file, fifo, pipe or socket; destroying the stream ends everything at once. A fifo is read as one reads
 * a socket: a thread that waits in open(2) or read(2) for somebody to write could not be called back. Throws
 * UnrepresentableError on a directory, and errors of system calls as they come.
 */
export function openInput(path: string): Readable {
  const fd = openDescriptor(path);
  try {
    const stats = fstatSync(fd);
    if (stats.isDirectory()) throw new UnrepresentableError(path, 'is a directory, where a tar should be');
    if (stats.isFIFO() || stats.isSocket()) return new Socket({ fd, readable: true, writable: false });
    return createReadStream(path, { fd, autoClose: true, highWaterMark: PIECE });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A socket that was inherited cannot be opened by its name, and the position of a file should be where it is. */
function openDescriptor(path: string): number {
  const inherited = INHERITED.exec(path);
  return inherited === null
    ? openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    : duplicateDescriptor(Number(inherited[1] ?? inherited[2] ?? 0));
}
