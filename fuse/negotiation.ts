import { ProtocolError, FuseUnavailableError } from './errors';
import { Capability, type CapabilityName } from './protocol/flags';
import type { RequestBody } from './protocol/body';
import { InitIn, InitOut } from './protocol/structures';

const MAJOR = 7;
/** The protocol this engine was written against (Linux 6.18). The kernel's own is used where it is older. */
const MINOR = 45;
/** Below 7.31 (Linux 5.4) NO_OPENDIR and EXPLICIT_INVAL_DATA are missing and nothing here was ever tried. */
const OLDEST_MINOR = 31;
/** A read-only file system writes nothing; the kernel wants at least a page. */
const MAX_WRITE = 4096;

export interface Wishes {
  /** Capabilities to use where the kernel has them. */
  readonly capabilities: readonly CapabilityName[];
  /** Largest READ in pages; the kernel clips it to its own limit. */
  readonly maxPages: number;
  /** Depth of the file system stack with this mount; 1 for one whose files pass through to another FUSE mount. */
  readonly maxStackDepth: number;
  /** Requests that the kernel may have under way in the background (read-ahead). */
  readonly maxBackground: number;
}

export interface Negotiated {
  /** Minor version of protocol 7 in force. */
  readonly minor: number;
  readonly capabilities: ReadonlySet<CapabilityName>;
  readonly maxReadahead: number;
}

export interface InitRequest {
  readonly major: number;
  readonly minor: number;
  readonly maxReadahead: number;
  readonly capabilities: ReadonlySet<CapabilityName>;
}

/** Decodes struct fuse_init_in. */
export function decodeInit(body: RequestBody): InitRequest {
  const flags = body.u32(InitIn.flags);
  const extended = (flags & (1 << Capability.INIT_EXT)) !== 0 && body.length >= InitIn.size;
  const flags2 = extended ? body.u32(InitIn.flags2) : 0;
  const capabilities = new Set<CapabilityName>();
  for (const [name, bit] of capabilityBits) {
    const word = bit < 32 ? flags : flags2;
    if ((word & (1 << (bit & 31))) !== 0) capabilities.add(name);
  }
  return {
    major: body.u32(InitIn.major),
    minor: body.u32(InitIn.minor),
    maxReadahead: body.u32(InitIn.maxReadahead),
    capabilities,
  };
}

const capabilityBits = Object.entries(Capability) as [CapabilityName, number][];

/** What both sides can do. Fails where the kernel speaks another major version or one too old. */
export function negotiate(init: InitRequest, wishes: Wishes): Negotiated {
  if (init.major !== MAJOR) throw new ProtocolError(`the kernel speaks FUSE ${init.major}, this program 7`);
  if (init.minor < OLDEST_MINOR) {
    throw new FuseUnavailableError(
      `FUSE 7.${init.minor} is too old: 7.${OLDEST_MINOR} (Linux 5.4) is needed`,
    );
  }
  const wanted = new Set<CapabilityName>(wishes.capabilities);
  wanted.add('INIT_EXT');
  return {
    minor: Math.min(init.minor, MINOR),
    capabilities: new Set([...wanted].filter((name) => init.capabilities.has(name))),
    maxReadahead: init.maxReadahead,
  };
}

/** Encodes struct fuse_init_out. */
export function encodeInit(agreed: Negotiated, wishes: Wishes): Buffer {
  const reply = Buffer.alloc(InitOut.size);
  let flags = 0;
  let flags2 = 0;
  for (const name of agreed.capabilities) {
    const bit = Capability[name];
    if (bit < 32) flags = (flags | (1 << bit)) >>> 0;
    else flags2 = (flags2 | (1 << (bit - 32))) >>> 0;
  }
  reply.writeUInt32LE(MAJOR, InitOut.major);
  reply.writeUInt32LE(agreed.minor, InitOut.minor);
  // What init offered is the most that a reply can grant; the real read-ahead is set through the bdi after mounting.
  reply.writeUInt32LE(0xffff_ffff, InitOut.maxReadahead);
  reply.writeUInt32LE(flags, InitOut.flags);
  reply.writeUInt16LE(wishes.maxBackground, InitOut.maxBackground);
  reply.writeUInt16LE(Math.ceil((wishes.maxBackground * 3) / 4), InitOut.congestionThreshold);
  reply.writeUInt32LE(MAX_WRITE, InitOut.maxWrite);
  reply.writeUInt32LE(1, InitOut.timeGranularity);
  reply.writeUInt16LE(wishes.maxPages, InitOut.maxPages);
  reply.writeUInt32LE(flags2, InitOut.flags2);
  reply.writeUInt32LE(
    agreed.capabilities.has('PASSTHROUGH') ? wishes.maxStackDepth : 0,
    InitOut.maxStackDepth,
  );
  return reply;
}
