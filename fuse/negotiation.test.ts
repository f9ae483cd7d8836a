import { FuseUnavailableError, ProtocolError } from './errors';
import { decodeInit, encodeInit, negotiate, type Wishes } from './negotiation';
import { RequestBody } from './protocol/body';
import { Capability, type CapabilityName } from './protocol/flags';
import { InitIn, InitOut } from './protocol/structures';

const wishes: Wishes = {
  capabilities: ['ASYNC_READ', 'MAX_PAGES', 'PASSTHROUGH'],
  maxPages: 256,
  maxStackDepth: 1,
  maxBackground: 64,
};

interface Offer {
  readonly major?: number;
  readonly minor?: number;
  readonly capabilities: readonly CapabilityName[];
  /** Bytes of struct fuse_init_in. */
  readonly size?: number;
}

function initIn({ major = 7, minor = 45, capabilities, size = InitIn.size }: Offer): RequestBody {
  const bytes = Buffer.alloc(InitIn.size);
  let flags = 0n;
  for (const name of capabilities) flags |= 1n << BigInt(Capability[name]);
  bytes.writeUInt32LE(major, InitIn.major);
  bytes.writeUInt32LE(minor, InitIn.minor);
  bytes.writeUInt32LE(131_072, InitIn.maxReadahead);
  bytes.writeUInt32LE(Number(flags & 0xffff_ffffn), InitIn.flags);
  bytes.writeUInt32LE(Number(flags >> 32n), InitIn.flags2);
  return new RequestBody(bytes, 0, size, 'INIT');
}

function answer(offer: Offer, wanted = wishes): { readonly flags: bigint; readonly reply: Buffer } {
  const reply = encodeInit(negotiate(decodeInit(initIn(offer)), wanted), wanted);
  const [low, high] = [reply.readUInt32LE(InitOut.flags), reply.readUInt32LE(InitOut.flags2)];
  return { flags: BigInt(low) | (BigInt(high) << 32n), reply };
}

const bits = (...names: CapabilityName[]): bigint =>
  names.reduce((sum, name) => sum | (1n << BigInt(Capability[name])), 0n);

test('only what both sides want is agreed on', () => {
  const { flags } = answer({ capabilities: ['ASYNC_READ', 'POSIX_ACL', 'INIT_EXT', 'PASSTHROUGH'] });
  expect(flags).toBe(bits('ASYNC_READ', 'INIT_EXT', 'PASSTHROUGH'));
});

test('the reply has the size and the numbers that the kernel reads', () => {
  const { reply } = answer({ capabilities: ['INIT_EXT', 'MAX_PAGES', 'PASSTHROUGH'] });
  expect(reply).toHaveLength(64);
  expect(reply.readUInt32LE(InitOut.major)).toBe(7);
  expect(reply.readUInt32LE(InitOut.minor)).toBe(45);
  expect(reply.readUInt16LE(InitOut.maxBackground)).toBe(64);
  expect(reply.readUInt16LE(InitOut.congestionThreshold)).toBe(48);
  expect(reply.readUInt32LE(InitOut.maxWrite)).toBe(4096);
  expect(reply.readUInt32LE(InitOut.timeGranularity)).toBe(1);
  expect(reply.readUInt16LE(InitOut.maxPages)).toBe(256);
  expect(reply.readUInt32LE(InitOut.maxStackDepth)).toBe(1);
});

test('the older of both minor versions is in force', () => {
  expect(answer({ minor: 38, capabilities: [] }).reply.readUInt32LE(InitOut.minor)).toBe(38);
  expect(answer({ minor: 99, capabilities: [] }).reply.readUInt32LE(InitOut.minor)).toBe(45);
});

test('a kernel before 7.36 sends 16 bytes and is never answered with bits beyond 31', () => {
  const { flags, reply } = answer({
    minor: 31,
    size: InitIn.oldSize,
    capabilities: ['ASYNC_READ', 'MAX_PAGES', 'PASSTHROUGH'],
  });
  expect(flags).toBe(bits('ASYNC_READ', 'MAX_PAGES'));
  expect(reply.readUInt32LE(InitOut.maxStackDepth)).toBe(0);
});

test('bits beyond 31 do not count without INIT_EXT', () => {
  const { flags, reply } = answer({ capabilities: ['ASYNC_READ', 'PASSTHROUGH'] });
  expect(flags).toBe(bits('ASYNC_READ'));
  expect(reply.readUInt32LE(InitOut.maxStackDepth)).toBe(0);
});

test('the stack depth is 0 where passthrough is not agreed on', () => {
  const offered = answer({ capabilities: ['INIT_EXT', 'PASSTHROUGH'] }, { ...wishes, capabilities: [] });
  expect(offered.reply.readUInt32LE(InitOut.maxStackDepth)).toBe(0);
  const refused = answer({ capabilities: ['INIT_EXT'] });
  expect(refused.reply.readUInt32LE(InitOut.maxStackDepth)).toBe(0);
});

test('another major version and one that is too old are refused', () => {
  const init = (offer: Partial<Offer>) => decodeInit(initIn({ capabilities: [], ...offer }));
  expect(() => negotiate(init({ major: 8 }), wishes)).toThrow(ProtocolError);
  expect(() => negotiate(init({ minor: 30 }), wishes)).toThrow(FuseUnavailableError);
  expect(() => negotiate(init({ minor: 30 }), wishes)).toThrow(/7\.30 is too old/);
});

test('an INIT that is cut off is a protocol error', () => {
  expect(() => decodeInit(initIn({ capabilities: [], size: InitIn.oldSize - 1 }))).toThrow(ProtocolError);
});
