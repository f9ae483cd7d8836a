import fc from 'fast-check';
import { Opcode } from '../../../fuse/protocol/opcode';
import {
  BatchForgetIn,
  ForgetIn,
  ForgetOne,
  GetxattrIn,
  InHeader,
  InitIn,
  LseekIn,
  OpenIn,
  ReadIn,
  ReleaseIn,
  StatxIn,
} from '../../../fuse/protocol/structures';
import { PAUSE, request } from '../../../fuse/testing/script';

/** What requests about one file system can be about. */
export interface Known {
  readonly nodes: readonly number[];
  readonly names: readonly Buffer[];
  readonly xattrs: readonly Buffer[];
}

/** One request as it is sent, with what a judge must know of it. */
export interface Sent {
  readonly unique: bigint;
  /** Undefined where the bytes are no whole header. */
  readonly opcode: number | undefined;
  readonly bytes: Buffer;
  /** Whether the connection is found empty before it. */
  readonly paused: boolean;
}

const U32_MAX = 2 ** 32 - 1;
const U64_MAX = 2n ** 64n - 1n;
/** A request cannot be longer than the buffer that it is read into. */
const MOST_BYTES = 64 * 1024;

const lengths = fc.oneof(
  fc.integer({ min: 0, max: 300_000 }),
  fc.constantFrom(0, 1, 4095, 4096, 2 ** 20, 2 ** 24 + 1, 2 ** 31, U32_MAX),
);
const positions = fc.oneof(
  fc.bigInt({ min: 0n, max: 10n }),
  fc.bigInt({ min: 0n, max: 300_000n }),
  fc.constantFrom(2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n, U64_MAX),
);

interface Field {
  readonly at: number;
  readonly value: bigint | number;
}

/** A structure of so many bytes with some of its fields set: 64 bits where the value is a bigint, else 32. */
function structure(size: number, ...fields: readonly Field[]): Buffer {
  const bytes = Buffer.alloc(size);
  for (const { at, value } of fields) {
    if (typeof value === 'bigint') bytes.writeBigUInt64LE(value, at);
    else bytes.writeUInt32LE(value, at);
  }
  return bytes;
}

const terminated = (name: Uint8Array): Buffer => Buffer.concat([name, Buffer.of(0)]);

const oddNames = fc.oneof(
  fc
    .constantFrom('', '.', '..', '/', 'a/b', '../..', 'x'.repeat(255), 'x'.repeat(256))
    .map((text) => Buffer.from(text)),
  fc.integer({ min: 4096, max: MOST_BYTES - 100 }).map((length) => Buffer.alloc(length, 'n')),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
);

function nameOf(known: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const odd = { weight: 1, arbitrary: oddNames };
  return known.length === 0 ? oddNames : fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...known) }, odd);
}

const reads = fc
  .tuple(positions, lengths, fc.constantFrom(0, 2))
  .map(([offset, length, flags]) =>
    structure(
      ReadIn.size,
      { at: ReadIn.offset, value: offset },
      { at: ReadIn.length, value: length },
      { at: ReadIn.readFlags, value: flags },
    ),
  );

const forgets = fc
  .array(fc.tuple(positions, positions), { maxLength: 5 })
  .chain((pairs) =>
    fc
      .oneof(fc.constant(pairs.length), lengths)
      .map((count) =>
        Buffer.concat([
          structure(BatchForgetIn.size, { at: BatchForgetIn.count, value: count }),
          ...pairs.map(([node, lookups]) =>
            structure(
              ForgetOne.size,
              { at: ForgetOne.nodeid, value: node },
              { at: ForgetOne.nlookup, value: lookups },
            ),
          ),
        ]),
      ),
  );

/** Well-formed bodies of the operations that have some; the others are sent with zeroes. */
function bodies(known: Known): Readonly<Record<number, fc.Arbitrary<Buffer>>> {
  return {
    [Opcode.LOOKUP]: nameOf(known.names).map(terminated),
    [Opcode.GETATTR]: fc.constant(Buffer.alloc(16)),
    [Opcode.STATX]: fc.constant(Buffer.alloc(StatxIn.size)),
    [Opcode.READLINK]: fc.constant(Buffer.alloc(0)),
    [Opcode.STATFS]: fc.constant(Buffer.alloc(0)),
    [Opcode.OPEN]: fc
      .constantFrom(0, 1, 2, 0o1000, U32_MAX)
      .map((flags) => structure(OpenIn.size, { at: OpenIn.flags, value: flags })),
    [Opcode.RELEASE]: positions.map((handle) =>
      structure(ReleaseIn.size, { at: ReleaseIn.fh, value: handle }),
    ),
    [Opcode.READ]: reads,
    [Opcode.READDIR]: reads,
    [Opcode.READDIRPLUS]: reads,
    [Opcode.GETXATTR]: fc
      .tuple(lengths, nameOf(known.xattrs))
      .map(([length, name]) =>
        Buffer.concat([
          structure(GetxattrIn.size, { at: GetxattrIn.length, value: length }),
          terminated(name),
        ]),
      ),
    [Opcode.LISTXATTR]: lengths.map((length) =>
      structure(GetxattrIn.size, { at: GetxattrIn.length, value: length }),
    ),
    [Opcode.LSEEK]: fc
      .tuple(positions, fc.constantFrom(0, 1, 2, 3, 4, 5, U32_MAX))
      .map(([offset, whence]) =>
        structure(LseekIn.size, { at: LseekIn.offset, value: offset }, { at: LseekIn.whence, value: whence }),
      ),
    [Opcode.FORGET]: positions.map((lookups) =>
      structure(ForgetIn.size, { at: ForgetIn.nlookup, value: lookups }),
    ),
    [Opcode.BATCH_FORGET]: forgets,
    [Opcode.INTERRUPT]: positions.map((unique) => structure(8, { at: 0, value: unique })),
    [Opcode.INIT]: fc
      .tuple(fc.constantFrom(6, 7, 8), fc.integer({ min: 0, max: 60 }), lengths)
      .map(([major, minor, flags]) =>
        structure(
          InitIn.size,
          { at: InitIn.major, value: major },
          { at: InitIn.minor, value: minor },
          { at: InitIn.flags, value: flags },
        ),
      ),
  };
}

/** How a request is spoilt after it was made. */
const damages = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'none' } as const) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('cut' as const), bytes: fc.integer({ min: 1, max: 70 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('longer' as const), by: fc.uint8Array({ maxLength: 40 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('other length' as const), declared: lengths }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('extensions' as const),
      units: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(0xffff)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('word' as const),
      at: fc.nat({ max: 24 }),
      value: fc.oneof(lengths, fc.integer({ min: 0, max: U32_MAX })),
    }),
  },
);

type Damage = typeof damages extends fc.Arbitrary<infer Kind> ? Kind : never;

function damaged(whole: Buffer, damage: Damage): Buffer {
  const bytes = Buffer.from(whole);
  switch (damage.kind) {
    case 'none':
      return bytes;
    // The header tells the new length, so that the body is what is too short: a cut header cannot tell anything.
    case 'cut':
      return withLength(bytes.subarray(0, Math.max(0, bytes.length - damage.bytes)));
    case 'longer':
      return withLength(Buffer.concat([bytes, damage.by]).subarray(0, MOST_BYTES));
    case 'other length':
      bytes.writeUInt32LE(damage.declared, InHeader.len);
      return bytes;
    case 'extensions':
      bytes.writeUInt16LE(damage.units, InHeader.totalExtlen);
      return bytes;
    case 'word': {
      const at = InHeader.size + damage.at * 4;
      if (at + 4 <= bytes.length) bytes.writeUInt32LE(damage.value, at);
      return bytes;
    }
  }
}

function withLength(bytes: Buffer): Buffer {
  if (bytes.length >= 4) bytes.writeUInt32LE(bytes.length, InHeader.len);
  return bytes;
}

/** Some requests about a file system, valid and spoilt ones, in the order in which they are sent. */
export function requestsAbout(known: Known): fc.Arbitrary<Sent[]> {
  const wellFormed = bodies(known);
  const nodes = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...known.nodes).map(BigInt) },
    { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: U64_MAX }) },
    { weight: 1, arbitrary: positions },
  );
  const opcodes = fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...Object.keys(wellFormed).map(Number)) },
    { weight: 2, arbitrary: fc.constantFrom(...Object.values(Opcode)) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: U32_MAX }) },
  );
  const one = opcodes.chain((opcode) =>
    fc.record({
      opcode: fc.constant(opcode),
      node: nodes,
      body: wellFormed[opcode] ?? fc.constant(Buffer.alloc(64)),
      damage: damages,
      paused: fc.boolean(),
      number: fc.nat({ max: 1000 }),
      resent: fc.boolean(),
    }),
  );
  return fc.array(one, { minLength: 1, maxLength: 24 }).map((parts) =>
    parts.map(({ opcode, node, body, damage, paused, number, resent }): Sent => {
      // The kernel numbers its requests evenly, and marks those that it sends again. Now and then two are alike.
      const unique = BigInt(number * 2 + 2) + (resent ? 2n ** 63n : 0n);
      const bytes = damaged(request({ opcode, unique, node }, body), damage);
      return { unique, opcode: bytes.length < InHeader.size ? undefined : opcode, bytes, paused };
    }),
  );
}

/** The steps of a connection on which these come. */
export function stepsOf(requests: readonly Sent[]): (Buffer | typeof PAUSE)[] {
  return requests.flatMap(({ bytes, paused }) => (paused ? [PAUSE, bytes] : [bytes]));
}
