import { DirectoryReply } from './directory-reply';
import { FuseError, ProtocolError } from './errors';
import {
  fileHandle,
  nodeId,
  type Allocate,
  type Entry,
  type FileSystem,
  type MaybePromise,
  type NodeId,
} from './file-system';
import type { RequestBody } from './protocol/body';
import {
  encodeAttributes,
  encodeEntry,
  encodeNegativeEntry,
  encodeOpen,
  encodeStatfs,
  encodeStatx,
  writeU64,
} from './protocol/encode';
import { ReadFlag, SEEK_DATA, SEEK_HOLE } from './protocol/flags';
import { Opcode, writingOpcodes } from './protocol/opcode';
import {
  BatchForgetIn,
  ForgetIn,
  ForgetOne,
  GetxattrIn,
  GetxattrOut,
  LseekIn,
  LseekOut,
  OpenIn,
  ReadIn,
  ReleaseIn,
} from './protocol/structures';

/** FORGET and its like expect no answer at all. */
export const NO_REPLY = Symbol('no reply');
export type Reply = Buffer | typeof NO_REPLY;

const EMPTY = Buffer.alloc(0);
/** The kernel asks for a few pages of a directory at a time; giving less than asked for is always right. */
const MAX_DIRECTORY_REPLY = 1 << 20;

/**
 * Turns one decoded request into a call of the file system, and its result into the bytes of the reply's body, which may be
 * in memory from `allocate`. The body of the request is read before this returns: another takes its place. A READ of more
 * than `largestRead` bytes is refused.
 */
export function dispatch(
  fileSystem: FileSystem,
  opcode: number,
  node: NodeId,
  unique: bigint,
  body: RequestBody,
  allocate: Allocate,
  largestRead: number,
): MaybePromise<Reply> {
  switch (opcode) {
    case Opcode.LOOKUP:
      return map(fileSystem.lookup(node, body.name(0)), encodeLookup);
    case Opcode.GETATTR:
      return map(fileSystem.attributes(node), encodeAttributes);
    case Opcode.STATX:
      if (fileSystem.statx === undefined) throw new FuseError('ENOSYS');
      return map(fileSystem.statx(node), encodeStatx);
    case Opcode.READLINK:
      return fileSystem.readlink(node);
    case Opcode.OPEN:
      if (fileSystem.open === undefined) throw new FuseError('ENOSYS');
      return map(fileSystem.open(node, body.u32(OpenIn.flags), unique), encodeOpen);
    case Opcode.RELEASE:
      fileSystem.release?.(node, fileHandle(body.u64(ReleaseIn.fh)), unique);
      return EMPTY;
    case Opcode.READ:
      return fileSystem.read(
        node,
        fileHandle(body.u64(ReadIn.fh)),
        body.position(ReadIn.offset),
        readLength(body, largestRead),
        (body.u32(ReadIn.readFlags) & ReadFlag.LOCKOWNER) !== 0,
        allocate,
      );
    case Opcode.READDIR:
    case Opcode.READDIRPLUS:
      return readDirectory(fileSystem, node, body, opcode === Opcode.READDIRPLUS, allocate);
    case Opcode.GETXATTR:
      return getXattr(fileSystem, node, body);
    case Opcode.LISTXATTR:
      return listXattrs(fileSystem, node, body);
    case Opcode.STATFS:
      return map(fileSystem.statistics(), encodeStatfs);
    case Opcode.LSEEK:
      return seek(fileSystem, node, body);
    case Opcode.FORGET:
      fileSystem.forget?.(node, body.u64(ForgetIn.nlookup));
      return NO_REPLY;
    case Opcode.BATCH_FORGET:
      return batchForget(fileSystem, body);
    case Opcode.RELEASEDIR:
    case Opcode.DESTROY:
      return EMPTY;
    // Every operation ends by itself in bounded time. Ending one early would be wrong: a READ answered EINTR turns
    // a page fault in a process that merely got a signal into SIGBUS.
    case Opcode.INTERRUPT:
      return NO_REPLY;
    default:
      // Among the rest OPENDIR, FLUSH and ACCESS: after one ENOSYS the kernel handles them alone and asks no more.
      throw new FuseError(writingOpcodes.has(opcode) ? 'EROFS' : 'ENOSYS');
  }
}

function map<Value>(value: MaybePromise<Value>, encode: (value: Value) => Buffer): MaybePromise<Buffer> {
  return value instanceof Promise ? value.then(encode) : encode(value);
}

function encodeLookup(entry: Entry | undefined): Buffer {
  return entry === undefined ? encodeNegativeEntry() : encodeEntry(entry);
}

function readDirectory(
  fileSystem: FileSystem,
  node: NodeId,
  body: RequestBody,
  plus: boolean,
  allocate: Allocate,
): MaybePromise<Buffer> {
  const sink = new DirectoryReply(allocate(Math.min(body.u32(ReadIn.length), MAX_DIRECTORY_REPLY)), plus);
  const done = fileSystem.readDirectory(node, body.position(ReadIn.offset), sink);
  return done instanceof Promise ? done.then(() => sink.bytes()) : sink.bytes();
}

/** The kernel would take less than it asked for as the end of the file. */
function readLength(body: RequestBody, largest: number): number {
  const length = body.u32(ReadIn.length);
  if (length > largest) throw new ProtocolError(`READ: ${length} bytes, more than the agreed ${largest}`);
  return length;
}

function listXattrs(fileSystem: FileSystem, node: NodeId, body: RequestBody): MaybePromise<Buffer> {
  const room = body.u32(GetxattrIn.length);
  return map(fileSystem.listXattrs(node), (names) => xattrReply(nameList(names), room));
}

function getXattr(fileSystem: FileSystem, node: NodeId, body: RequestBody): MaybePromise<Buffer> {
  const length = body.u32(GetxattrIn.length);
  return map(fileSystem.getXattr(node, body.name(GetxattrIn.name)), (value) => {
    if (value === undefined) throw new FuseError('ENODATA');
    return xattrReply(value, length);
  });
}

/** A caller with room 0 asks for the length only. */
function xattrReply(value: Buffer, room: number): Buffer {
  if (room === 0) {
    const reply = Buffer.alloc(GetxattrOut.size);
    reply.writeUInt32LE(value.length, GetxattrOut.length);
    return reply;
  }
  if (value.length > room) throw new FuseError('ERANGE');
  return value;
}

function nameList(names: readonly Buffer[]): Buffer {
  return Buffer.concat(names.flatMap((name) => [name, Buffer.of(0)]));
}

function seek(fileSystem: FileSystem, node: NodeId, body: RequestBody): MaybePromise<Buffer> {
  if (fileSystem.seek === undefined) throw new FuseError('ENOSYS');
  const whence = body.u32(LseekIn.whence);
  // The kernel knows by itself where the others lead.
  if (whence !== SEEK_DATA && whence !== SEEK_HOLE) throw new FuseError('EINVAL');
  return map(fileSystem.seek(node, body.position(LseekIn.offset), whence), (offset) => {
    const reply = Buffer.alloc(LseekOut.size);
    writeU64(reply, offset, LseekOut.offset);
    return reply;
  });
}

function batchForget(fileSystem: FileSystem, body: RequestBody): Reply {
  if (fileSystem.forget === undefined) return NO_REPLY;
  const count = body.u32(BatchForgetIn.count);
  for (let index = 0; index < count; index += 1) {
    const at = BatchForgetIn.size + index * ForgetOne.size;
    fileSystem.forget(nodeId(body.u64(at + ForgetOne.nodeid)), body.u64(at + ForgetOne.nlookup));
  }
  return NO_REPLY;
}
