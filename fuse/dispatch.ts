import { DirectoryReply } from './directory-reply';
import { FuseError } from './errors';
import {
  fileHandle,
  nodeId,
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

/** Turns one decoded request into a call of the file system, and its result into the bytes of the reply's body. */
export function dispatch(
  fileSystem: FileSystem,
  opcode: number,
  nodeNumber: number,
  body: RequestBody,
): MaybePromise<Reply> {
  const node = nodeId(nodeNumber);
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
      return map(fileSystem.open(node, body.u32(OpenIn.flags)), encodeOpen);
    case Opcode.RELEASE:
      fileSystem.release?.(node, fileHandle(body.u64(ReleaseIn.fh)));
      return EMPTY;
    case Opcode.READ:
      return fileSystem.read(
        node,
        fileHandle(body.u64(ReadIn.fh)),
        body.u64(ReadIn.offset),
        body.u32(ReadIn.length),
      );
    case Opcode.READDIR:
    case Opcode.READDIRPLUS:
      return readDirectory(fileSystem, node, body, opcode === Opcode.READDIRPLUS);
    case Opcode.GETXATTR:
      return getXattr(fileSystem, node, body);
    case Opcode.LISTXATTR:
      return map(fileSystem.listXattrs(node), (names) =>
        xattrReply(nameList(names), body.u32(GetxattrIn.length)),
      );
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
): MaybePromise<Buffer> {
  const sink = new DirectoryReply(Math.min(body.u32(ReadIn.length), MAX_DIRECTORY_REPLY), plus);
  const done = fileSystem.readDirectory(node, body.u64(ReadIn.offset), sink);
  return done instanceof Promise ? done.then(() => sink.bytes()) : sink.bytes();
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
  return map(fileSystem.seek(node, body.u64(LseekIn.offset), body.u32(LseekIn.whence)), (offset) => {
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
