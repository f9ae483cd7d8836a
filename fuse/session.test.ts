import fc from 'fast-check';
import { FuseError, ProtocolError } from './errors';
import type { FileSystem } from './file-system';
import { SEEK_DATA } from './protocol/flags';
import { Opcode, unansweredOpcodes, writingOpcodes } from './protocol/opcode';
import { InHeader, InitIn, ReadIn } from './protocol/structures';
import { Session } from './session';
import { MemoryFileSystem } from './testing/memory-file-system';
import { request, Script } from './testing/script';
import { CACHING } from './testing/served-mount';

interface Outcome {
  readonly replies: Script['replies'];
  readonly faults: { readonly operation: string; readonly error: unknown }[];
}

async function serve(fileSystem: FileSystem, requests: readonly Uint8Array[]): Promise<Outcome> {
  const script = new Script(requests);
  const faults: Outcome['faults'] = [];
  const session = new Session(script, fileSystem, CACHING, {
    onFault: (operation, error) => faults.push({ operation, error }),
  });
  await session.run();
  return { replies: script.replies, faults };
}

function tree(fileSystem = new MemoryFileSystem()): MemoryFileSystem {
  const directory = fileSystem.directory(fileSystem.root, 'a');
  fileSystem.file(directory, 'b', Buffer.alloc(10_000, 'b')).xattrs.set('user.x', Buffer.from('y'));
  fileSystem.symlink(directory, 'c', 'b');
  return fileSystem;
}

/** A structure of so many bytes that begins with a number. */
function structure(first: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32LE(first);
  return bytes;
}

/** Answers a turn of the loop late. */
class LateFileSystem extends MemoryFileSystem {
  override async lookup(...question: Parameters<MemoryFileSystem['lookup']>) {
    await new Promise(setImmediate);
    return super.lookup(...question);
  }

  override async attributes(...question: Parameters<MemoryFileSystem['attributes']>) {
    await new Promise(setImmediate);
    return super.attributes(...question);
  }

  override async readDirectory(...question: Parameters<MemoryFileSystem['readDirectory']>) {
    await new Promise(setImmediate);
    return super.readDirectory(...question);
  }

  override async listXattrs(...question: Parameters<MemoryFileSystem['listXattrs']>) {
    await new Promise(setImmediate);
    return super.listXattrs(...question);
  }

  override async getXattr(...question: Parameters<MemoryFileSystem['getXattr']>) {
    await new Promise(setImmediate);
    return super.getXattr(...question);
  }
}

const opcodes = Object.values(Opcode).filter((opcode) => opcode !== Opcode.INIT);
const headers = fc.record({
  opcode: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...opcodes) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 32 - 1 }) },
  ),
  node: fc.oneof(fc.bigInt({ min: 0n, max: 6n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  extensions: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 0xffff })),
  lie: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.integer({ min: -45, max: 100_000 })),
});
/** Small numbers in 32-bit words reach further into an operation than noise does. */
const bodies = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  fc
    .array(fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })), {
      maxLength: 12,
    })
    .map((words) => new Uint8Array(Uint32Array.from(words).buffer)),
  fc.constantFrom('a', 'b', '', '.', '..').map((name) => Buffer.from(`${name}\0`)),
);

test.each([
  ['at once', () => tree()],
  ['later', () => tree(new LateFileSystem())],
])('whatever comes is answered once, well formed, and the session goes on (%s)', async (_when, make) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(headers, bodies), { minLength: 1, maxLength: 20 }), async (parts) => {
      const requests = parts.map(([{ lie, ...header }, body], index) =>
        request(
          {
            ...header,
            unique: BigInt(index * 2 + 2),
            declared: Math.max(0, InHeader.size + body.length + lie),
          },
          body,
        ),
      );
      const { replies } = await serve(make(), requests);
      for (const [index, [{ opcode }]] of parts.entries()) {
        const mine = replies.filter(({ unique }) => unique === BigInt(index * 2 + 2));
        expect(mine).toHaveLength(unansweredOpcodes.has(opcode) ? 0 : 1);
      }
    }),
    { seed: 11, numRuns: 300, endOnFailure: true },
  );
});

test('bytes without a whole header are answered to nobody', async () => {
  const whole = request({ opcode: Opcode.GETATTR, unique: 2n }, Buffer.alloc(16));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: InHeader.size - 1 }), async (stump) => {
      const { replies, faults } = await serve(tree(), [whole, stump, whole]);
      expect(replies.map(({ error }) => error)).toEqual([0, 0]);
      expect(faults).toHaveLength(1);
    }),
    { seed: 12, numRuns: 50 },
  );
});

test('a request whose header tells another length is refused with EINVAL and reported', async () => {
  const { replies, faults } = await serve(tree(), [
    request({ opcode: Opcode.GETATTR, unique: 2n, declared: 200 }, Buffer.alloc(16)),
  ]);
  expect(replies).toMatchObject([{ error: -22 }]);
  expect(faults).toMatchObject([{ operation: 'GETATTR', error: expect.any(ProtocolError) as unknown }]);
});

test('the highest bit of a resent request comes back in its reply', async () => {
  const unique = 2n ** 63n + 8n;
  const { replies } = await serve(tree(), [request({ opcode: Opcode.GETATTR, unique }, Buffer.alloc(16))]);
  expect(replies).toMatchObject([{ error: 0, unique }]);
});

test.each([...writingOpcodes])('opcode %i, which would write, is answered EROFS', async (opcode) => {
  const { replies, faults } = await serve(tree(), [request({ opcode, unique: 2n }, Buffer.alloc(64))]);
  expect(replies).toMatchObject([{ error: -30 }]);
  expect(faults).toEqual([]);
});

test('operations that this engine does not know are answered ENOSYS', async () => {
  const { replies, faults } = await serve(tree(), [request({ opcode: 4711, unique: 2n }, Buffer.alloc(0))]);
  expect(replies).toMatchObject([{ error: -38 }]);
  expect(faults).toEqual([]);
});

test('the forgets of a batch reach the file system one by one', async () => {
  const fileSystem = tree();
  const batch = Buffer.alloc(8 + 3 * 16);
  batch.writeUInt32LE(3, 0);
  for (const [index, node] of [2n, 3n, 2n].entries()) {
    batch.writeBigUInt64LE(node, 8 + index * 16);
    batch.writeBigUInt64LE(BigInt(index + 1), 16 + index * 16);
  }
  await serve(fileSystem, [request({ opcode: Opcode.BATCH_FORGET, unique: 2n }, batch)]);
  expect([...fileSystem.forgotten]).toEqual([
    [2, 4],
    [3, 2],
  ]);
});

test('a batch that counts more than it holds is no reason to read on', async () => {
  const fileSystem = tree();
  const batch = Buffer.alloc(8 + 16);
  batch.writeUInt32LE(0xffff_ffff, 0);
  batch.writeBigUInt64LE(2n, 8);
  batch.writeBigUInt64LE(1n, 16);
  const { faults } = await serve(fileSystem, [request({ opcode: Opcode.BATCH_FORGET, unique: 2n }, batch)]);
  expect([...fileSystem.forgotten]).toEqual([[2, 1]]);
  expect(faults).toHaveLength(1);
});

test('a batch that nobody waits for is not answered, not even with an error', async () => {
  const { replies, faults } = await serve(tree(), [
    request({ opcode: Opcode.FORGET, unique: 2n }, Buffer.alloc(3)),
    request({ opcode: Opcode.BATCH_FORGET, unique: 4n, declared: 9 }, Buffer.alloc(8)),
  ]);
  expect(replies).toEqual([]);
  expect(faults).toHaveLength(2);
});

test('an answer that comes later is about its own request, whatever has been read meanwhile', async () => {
  const listXattrs = request({ opcode: Opcode.LISTXATTR, unique: 2n, node: 3n }, structure(0, 8));
  const { replies } = await serve(tree(new LateFileSystem()), [
    listXattrs,
    request({ opcode: Opcode.GETATTR, unique: 4n }, Buffer.alloc(16, 0xff)),
  ]);
  // Room for no byte asks for the length of the list, which is "user.x" and its NUL.
  const [list] = replies.filter(({ unique }) => unique === 2n);
  expect(list?.body).toEqual(structure(7, 8));
});

test('a READ of more than was agreed on is refused before the file system hears of it', async () => {
  const fileSystem = tree();
  const read = Buffer.alloc(ReadIn.size);
  read.writeUInt32LE(0xffff_ffff, ReadIn.length);
  const { replies } = await serve(fileSystem, [request({ opcode: Opcode.READ, unique: 2n, node: 3n }, read)]);
  expect(replies).toMatchObject([{ error: -22 }]);
  expect(fileSystem.reads).toEqual([]);
});

test('at a position that no file reaches, there is nothing to read, list or seek', async () => {
  const far = Buffer.alloc(ReadIn.size);
  far.writeBigUInt64LE(2n ** 62n, ReadIn.offset);
  far.writeUInt32LE(SEEK_DATA, ReadIn.length);
  const asks = [
    { opcode: Opcode.READ, node: 3n },
    { opcode: Opcode.READDIR, node: 2n },
    { opcode: Opcode.LSEEK, node: 3n },
  ];
  const { replies, faults } = await serve(
    tree(),
    asks.map((ask, index) => request({ ...ask, unique: BigInt(index) }, far)),
  );
  expect(replies.map(({ error, body }) => ({ error, length: body.length }))).toEqual([
    { error: 0, length: 0 },
    { error: 0, length: 0 },
    { error: -6, length: 0 },
  ]);
  expect(faults).toEqual([]);
});

test('a way to seek that the kernel keeps to itself is refused', async () => {
  const { replies } = await serve(tree(), [
    request({ opcode: Opcode.LSEEK, unique: 2n, node: 3n }, Buffer.alloc(24)),
  ]);
  expect(replies).toMatchObject([{ error: -22 }]);
});

test('run() ends only when every request under way is answered', async () => {
  let finish: (() => void) | undefined;
  const fileSystem = tree();
  fileSystem.beforeRead = () => new Promise((resolve) => (finish = resolve));
  const script = new Script([request({ opcode: Opcode.READ, unique: 2n, node: 3n }, Buffer.alloc(40))]);
  const session = new Session(script, fileSystem, CACHING, { onFault: () => undefined });
  let ended = false;
  const ran = session.run().then(() => (ended = true));
  await new Promise(setImmediate);
  expect(ended).toBe(false);
  finish?.();
  await ran;
  expect(script.replies).toHaveLength(1);
});

test('what was agreed on is told once INIT has come, and its absence is an error', async () => {
  const init = Buffer.alloc(InitIn.size);
  init.writeUInt32LE(7, InitIn.major);
  init.writeUInt32LE(36, InitIn.minor);
  const script = new Script([request({ opcode: Opcode.INIT, unique: 2n }, init)]);
  const session = new Session(script, tree(), CACHING, { onFault: () => undefined });
  await session.run();
  expect(await session.negotiated).toMatchObject({ minor: 36 });
  const silent = new Session(new Script([]), tree(), CACHING, { onFault: () => undefined });
  await silent.run();
  await expect(silent.negotiated).rejects.toThrow(ProtocolError);
});

test('a kernel that is too old is refused, and the caller learns why', async () => {
  const init = Buffer.alloc(InitIn.size);
  init.writeUInt32LE(7, InitIn.major);
  init.writeUInt32LE(30, InitIn.minor);
  const script = new Script([request({ opcode: Opcode.INIT, unique: 2n }, init)]);
  const session = new Session(script, tree(), CACHING, { onFault: () => undefined });
  await session.run();
  expect(script.replies[0]?.error).toBeLessThan(0);
  await expect(session.negotiated).rejects.toThrow(/7\.30 is too old/);
});

test('errors of the file system become errnos, and those that no client caused are reported', async () => {
  const fileSystem = tree();
  const failures: unknown[] = [new FuseError('EACCES'), new Error('bug'), new FuseError('EIO', 'bad disk')];
  fileSystem.attributes = () => {
    throw failures.shift();
  };
  const asks = [2n, 4n, 6n].map((unique) => request({ opcode: Opcode.GETATTR, unique }, Buffer.alloc(16)));
  const { replies, faults } = await serve(fileSystem, asks);
  expect(replies.map(({ error }) => error)).toEqual([-13, -5, -5]);
  expect(faults.map(({ error }) => (error as Error).message)).toEqual(['bug', 'bad disk']);
});
