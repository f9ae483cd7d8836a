import { Opcode, opcodeName, unansweredOpcodes } from '../../../fuse/protocol/opcode';
import {
  AttrOut,
  EntryOut,
  GetxattrIn,
  GetxattrOut,
  InHeader,
  InitOut,
  LseekOut,
  OpenOut,
  ReadIn,
  Statfs,
  StatxOut,
} from '../../../fuse/protocol/structures';
import type { Written } from '../../../fuse/testing/script';
import type { Sent } from './requests';

/** Bodies of one length only (fuse_copy_out_args() of fs/fuse/dev.c refuses any other). */
const EXACT: Readonly<Record<number, number>> = {
  [Opcode.LOOKUP]: EntryOut.size,
  [Opcode.GETATTR]: AttrOut.size,
  [Opcode.STATX]: StatxOut.size,
  [Opcode.OPEN]: OpenOut.size,
  [Opcode.STATFS]: Statfs.size,
  [Opcode.LSEEK]: LseekOut.size,
  [Opcode.INIT]: InitOut.size,
  [Opcode.RELEASE]: 0,
  [Opcode.RELEASEDIR]: 0,
  [Opcode.DESTROY]: 0,
};

/** Longest target that the kernel has room for. */
const READLINK_MAX = 4095;

/** Whether the kernel waits for an answer. */
export function wantsAnswer({ opcode }: Sent): boolean {
  return opcode !== undefined && !unansweredOpcodes.has(opcode);
}

/** What the kernel would not take of an answer to a request, or undefined. */
export function objection(sent: Sent, { error, body }: Written): string | undefined {
  if (error !== 0 || sent.opcode === undefined) return undefined;
  const name = opcodeName(sent.opcode);
  const exact = EXACT[sent.opcode];
  if (exact !== undefined) {
    return body.length === exact ? undefined : `${name} answered with ${body.length} bytes, not ${exact}`;
  }
  const room = roomOf(sent.opcode, sent.bytes);
  if (room === undefined) return `${name} answered with success`;
  return body.length <= room ? undefined : `${name} answered with ${body.length} bytes for ${room}`;
}

function roomOf(opcode: number, bytes: Buffer): number | undefined {
  switch (opcode) {
    case Opcode.READLINK:
      return READLINK_MAX;
    case Opcode.READ:
    case Opcode.READDIR:
    case Opcode.READDIRPLUS:
      return bytes.readUInt32LE(InHeader.size + ReadIn.length);
    case Opcode.GETXATTR:
    case Opcode.LISTXATTR:
      return bytes.readUInt32LE(InHeader.size + GetxattrIn.length) || GetxattrOut.size;
    default:
      return undefined;
  }
}
