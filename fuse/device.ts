import { constants, openSync, write, writeSync, writevSync } from 'node:fs';
import { endianness } from 'node:os';
import { Descriptor } from '../linux/descriptor';
import { errno, errorCode } from '../linux/errno';
import { check, lastErrno, native } from '../linux/libc';
import { Readiness } from '../linux/readiness';
import { FuseUnavailableError } from './errors';
import type { BackingId } from './file-system';
import { BackingMap } from './protocol/structures';

/** ioctls of /dev/fuse (FUSE_DEV_IOC_*, include/uapi/linux/fuse.h), as x86 and arm encode them. */
const BACKING_OPEN = 0x4010e501;
const BACKING_CLOSE = 0x4004e502;

/** What a read of /dev/fuse gave: the length of one request, nothing at present, or the end of the connection. */
export type ReadResult = number | 'empty' | 'ended';

/**
 * One descriptor of /dev/fuse, which is one connection to the kernel. It never blocks: reads return 'empty' and
 * `readable()` waits. Close it last: the connection ends with its last descriptor.
 */
export class FuseDevice implements Disposable {
  readonly #descriptor: Descriptor;
  readonly #readiness: Readiness;

  private constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor;
    this.#readiness = new Readiness(descriptor);
  }

  /** Opens a fresh connection, to be given to mount(2). */
  static open(path = '/dev/fuse'): FuseDevice {
    if (endianness() !== 'LE') throw new FuseUnavailableError('big-endian machines are not supported');
    try {
      // Node adds O_CLOEXEC: a child that inherited this would keep clients waiting after the daemon died.
      const number = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
      return new FuseDevice(new Descriptor(number, path));
    } catch (error) {
      const reason =
        errorCode(error) === 'ENOENT' ? 'the kernel has no FUSE (modprobe fuse)' : 'it cannot be opened';
      throw new FuseUnavailableError(`${path}: ${reason}`, { cause: error });
    }
  }

  /** Takes over a connection that is mounted already: a descriptor of it, which belongs to the device from here on. */
  static adopt(descriptor: Descriptor): FuseDevice {
    return new FuseDevice(descriptor);
  }

  /** For mount options: `fd=N`. */
  get number(): number {
    return this.#descriptor.number;
  }

  /**
   * Reads one request, without waiting. This call and `write` are synchronous on purpose: both only copy between
   * this process and the kernel.
   */
  read(buffer: Buffer): ReadResult {
    for (;;) {
      const length = native.read(this.#descriptor.number, buffer, buffer.length);
      if (length >= 0) return length;
      switch (lastErrno()) {
        case errno.EAGAIN:
          return 'empty';
        // The request was interrupted before it was read, or a signal came: the next one may be there already.
        case errno.EINTR:
        case errno.ENOENT:
          continue;
        // Unmounted, aborted, or never mounted.
        case errno.ENODEV:
        case errno.ECONNABORTED:
        case errno.EPERM:
          return 'ended';
        default:
          check(length, 'read', '/dev/fuse');
      }
    }
  }

  /** Writes one whole reply. Throws what the kernel answers (ENOENT: the request is gone). */
  write(header: Buffer, body?: Buffer): void {
    if (body === undefined || body.length === 0) writeSync(this.#descriptor.number, header);
    else writevSync(this.#descriptor.number, [header, body]);
  }

  /**
   * Writes one notification, on another thread: the kernel takes locks for it whose holders may be waiting for this
   * thread's answer. Rejects with what the kernel answers. The device must not be disposed of meanwhile.
   */
  notify(message: Buffer): Promise<void> {
    const { number } = this.#descriptor;
    return new Promise((resolve, reject) => {
      write(number, message, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  /** Resolves when there may be something to read; 'cancelled' after stop(). */
  readable(): Promise<'ready' | 'cancelled'> {
    return this.#readiness.wait();
  }

  /** Ends the wait in readable(), now and for good. */
  stop(): void {
    this.#readiness.cancel();
  }

  /**
   * Registers a file to which opened files of this connection may pass through (Linux 6.9). The kernel keeps a
   * reference of its own: `fd` may be closed afterwards, and may be an O_PATH descriptor (Linux 6.12).
   */
  openBacking(fd: number): BackingId {
    const map = Buffer.alloc(BackingMap.size);
    map.writeInt32LE(fd, BackingMap.fd);
    const id = check(
      native.ioctl(this.#descriptor.number, BACKING_OPEN, map),
      'FUSE_DEV_IOC_BACKING_OPEN',
      `fd ${fd}`,
    );
    return id as BackingId;
  }

  /** Gives a backing id back; files that are open on it stay so. */
  closeBacking(id: BackingId): void {
    const argument = Buffer.alloc(4);
    argument.writeUInt32LE(id, 0);
    check(
      native.ioctl(this.#descriptor.number, BACKING_CLOSE, argument),
      'FUSE_DEV_IOC_BACKING_CLOSE',
      `backing id ${id}`,
    );
  }

  /** Call after stop() and after readable() has settled. */
  [Symbol.dispose](): void {
    this.#readiness[Symbol.dispose]();
    this.#descriptor[Symbol.dispose]();
  }
}
