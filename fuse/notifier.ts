import { errorCode } from '../linux/errno';
import type { FuseDevice } from './device';
import type { NodeId } from './file-system';
import { writeU64 } from './protocol/encode';
import { Notification } from './protocol/flags';
import { NotifyInvalEntry, NotifyInvalInode, OutHeader } from './protocol/structures';

/**
 * Tells the kernel to forget what it remembers. For that the kernel takes locks of the inode or directory, which it holds
 * while a LOOKUP, READDIR or READ there is unanswered. So notifications leave on another thread, one at a time, and a
 * request that waits for one to be done must not be one on the same inode or directory.
 */
export class Notifier {
  readonly #device: Pick<FuseDevice, 'notify'>;
  #underWay = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(device: Pick<FuseDevice, 'notify'>) {
    this.#device = device;
  }

  /** Whether a notification has not been taken by the kernel yet. */
  get busy(): boolean {
    return this.#underWay > 0;
  }

  /** Resolves when every notification so far was taken or refused. */
  async settled(): Promise<void> {
    await this.#last;
  }

  /**
   * Forgets attributes and cached pages of an inode: those in `length` bytes from `offset`, or, with length 0, all from
   * there on. False where the kernel does not know the inode.
   */
  invalidateInode(node: NodeId, offset = 0, length = 0): Promise<boolean> {
    const body = Buffer.alloc(NotifyInvalInode.size);
    writeU64(body, node, NotifyInvalInode.nodeid);
    writeU64(body, offset, NotifyInvalInode.offset);
    writeU64(body, length, NotifyInvalInode.length);
    return this.#send(Notification.INVAL_INODE, body);
  }

  /** Forgets one name in a directory, be it known to exist or known not to. False where the kernel knows no such name. */
  invalidateEntry(parent: NodeId, name: Buffer): Promise<boolean> {
    const body = Buffer.alloc(NotifyInvalEntry.size + name.length + 1);
    writeU64(body, parent, NotifyInvalEntry.parent);
    body.writeUInt32LE(name.length, NotifyInvalEntry.nameLength);
    name.copy(body, NotifyInvalEntry.size);
    return this.#send(Notification.INVAL_ENTRY, body);
  }

  /**
   * Asks for all requests again that were read and not answered, by whoever served the connection before (Linux 6.9). They
   * come with the highest bit of their number set.
   */
  async resend(): Promise<void> {
    await this.#send(Notification.RESEND, Buffer.alloc(0));
  }

  #send(code: number, body: Buffer): Promise<boolean> {
    const message = Buffer.alloc(OutHeader.size + body.length);
    message.writeUInt32LE(message.length, OutHeader.len);
    // A notification carries its code where a reply carries its error, and no request's number.
    message.writeInt32LE(code, OutHeader.error);
    body.copy(message, OutHeader.size);
    this.#underWay += 1;
    const sent = this.#last.then(() => this.#write(message)).finally(() => (this.#underWay -= 1));
    // The caller is told of a failure; the next notification goes out all the same.
    this.#last = sent.catch(() => undefined);
    return sent;
  }

  async #write(message: Buffer): Promise<boolean> {
    try {
      await this.#device.notify(message);
      return true;
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return false;
      throw error;
    }
  }
}
