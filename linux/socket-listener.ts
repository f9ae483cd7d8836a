import { Descriptor } from './descriptor';
import { check, native } from './libc';
import { AF_UNIX, unixAddress } from './unix-address';

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** asm-generic/socket.h. */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** struct ucred: pid, uid and gid. */
const UCRED_SIZE = 12;

/**
 * The process that listens on a unix socket, by its number: who called listen(2) (SO_PEERCRED, unix(7)). 0 where this process
 * cannot see it. Throws SystemCallError where nobody can be connected to.
 */
export function listenerOf(path: string): number {
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  using socket = new Descriptor(check(native.socket(AF_UNIX, type, 0), 'socket', path), path);
  const address = unixAddress(path);
  check(native.connect(socket.number, address, address.length), 'connect', path);
  const credentials = Buffer.alloc(UCRED_SIZE);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(UCRED_SIZE);
  check(native.getsockopt(socket.number, SOL_SOCKET, SO_PEERCRED, credentials, length), 'getsockopt', path);
  return credentials.readInt32LE();
}
