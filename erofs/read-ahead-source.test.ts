import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { ByteSource } from './byte-source';
import { CacheBudget } from './cache-budget';
import { MemorySource } from './memory-source';
import { READ_AHEAD_WINDOW, ReadAheadSource } from './read-ahead-source';

const SIZE = 60 * READ_AHEAD_WINDOW + 777;
const content = Buffer.alloc(SIZE);
for (let at = 0; at < SIZE; at++) content[at] = at * 31 + (at >>> 9);

/** A source that counts what is read from it, and fails behind `limit`. */
class Counted implements ByteSource {
  readonly label = 'counted';
  readonly size = SIZE;
  readonly reads: number[] = [];
  closed = false;
  limit = SIZE;
  readonly #memory = new MemorySource(content, this.label);

  /** The memory that reads were given, where they were given any. */
  readonly memory: (ArrayBufferLike | undefined)[] = [];

  async read(position: number, length: number, into?: Buffer): Promise<Buffer> {
    this.reads.push(length);
    this.memory.push(into?.buffer);
    await Promise.resolve();
    if (position + length > this.limit) throw new Error('the disk failed');
    const bytes = await this.#memory.read(position, length);
    if (into === undefined) return bytes;
    bytes.copy(into);
    return into.subarray(0, length);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

function sources(): { disk: Counted; ahead: ReadAheadSource; budget: CacheBudget } {
  const disk = new Counted();
  const budget = new CacheBudget(40 * READ_AHEAD_WINDOW);
  return { disk, ahead: new ReadAheadSource(disk, budget), budget };
}

describe('reading ahead', () => {
  it('reads little where reads are far apart', async () => {
    const { disk, ahead } = sources();
    for (let turn = 0; turn < 20; turn++) await ahead.read(turn % 2 === 0 ? 0 : SIZE - 4096, 4096);
    expect(disk.reads).toEqual(Array<number>(20).fill(4096));
  });

  it.each([
    ['forwards', (step: number) => step * 4096],
    ['backwards', (step: number) => (319 - step) * 4096],
  ])('reads few times where reads go %s', async (_title, at) => {
    const { disk, ahead } = sources();
    for (let step = 0; step < 320; step++) {
      const position = at(step);
      const bytes = ahead.peek(position, 4096) ?? (await ahead.read(position, 4096));
      expect(bytes.equals(content.subarray(position, position + 4096))).toBe(true);
    }
    expect(disk.reads.length).toBeLessThan(20);
  });

  it('fetches the next windows while the reader is busy with two neighbours', async () => {
    const { disk, ahead } = sources();
    for (let position = 0; position <= READ_AHEAD_WINDOW; position += 4096) await ahead.read(position, 4096);
    await new Promise(setImmediate);
    const before = disk.reads.length;
    for (let next = 2; next < 9; next++) expect(ahead.peek(next * READ_AHEAD_WINDOW, 4096)).toBeDefined();
    expect(disk.reads.slice(before)).toEqual(Array<number>(7).fill(READ_AHEAD_WINDOW));
  });

  it('fetches one window ahead at first, so that a short row costs little', async () => {
    const { disk, ahead } = sources();
    for (const position of [0, READ_AHEAD_WINDOW - 4096, READ_AHEAD_WINDOW]) await ahead.read(position, 4096);
    await new Promise(setImmediate);
    expect(disk.reads.reduce((sum, length) => sum + length, 0)).toBeLessThan(5 * READ_AHEAD_WINDOW);
  });

  it('reads each byte once where reads cross from one window to the next', async () => {
    const { disk, ahead } = sources();
    for (let position = 0; position + 100_000 < SIZE; position += 100_000)
      await ahead.read(position, 100_000);
    const bytes = disk.reads.reduce((sum, length) => sum + length, 0);
    expect(bytes).toBeLessThan(SIZE + 2 * READ_AHEAD_WINDOW);
  });

  it('gives the right bytes, whatever is read in which order', async () => {
    const range = fc.tuple(fc.nat(SIZE - 1), fc.integer({ min: 1, max: 2 * READ_AHEAD_WINDOW }));
    const nearly = fc.tuple(fc.nat(300_000), fc.integer({ min: 1, max: 90_000 }));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(range, nearly), { maxLength: 30 }), async (ranges) => {
        const { ahead } = sources();
        const checks = ranges.map(async ([position, wanted]) => {
          const length = Math.min(wanted, SIZE - position);
          expect(
            (await ahead.read(position, length)).equals(content.subarray(position, position + length)),
          ).toBe(true);
        });
        await Promise.all(checks);
      }),
      { numRuns: 60 },
    );
  });

  it('lends the right bytes to many, and lets nobody change them before all are done', async () => {
    const range = fc.tuple(fc.nat(SIZE - 1), fc.integer({ min: 1, max: READ_AHEAD_WINDOW }), fc.nat(5));
    const { ahead } = sources();
    await fc.assert(
      fc.asyncProperty(fc.array(range, { maxLength: 30 }), async (ranges) => {
        const checks = ranges.map(([position, wanted, turns]) => {
          const length = Math.min(wanted, SIZE - position);
          return Promise.resolve(
            ahead.lend(position, length, async (bytes) => {
              for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
              return bytes.equals(content.subarray(position, position + length));
            }),
          );
        });
        expect(await Promise.all(checks)).toEqual(ranges.map(() => true));
      }),
      { numRuns: 40 },
    );
  });

  it('uses the memory of windows again where their bytes were only lent', async () => {
    const { disk, ahead } = sources();
    for (let position = 0; position < SIZE - 4096; position += 4096) {
      await ahead.lend(position, 4096, () => undefined);
    }
    expect(new Set(disk.memory.filter((into) => into !== undefined)).size).toBeLessThan(50);
    expect(disk.memory.length).toBeGreaterThan(60);
  });

  it('leaves bytes alone that were given for good', async () => {
    const { ahead } = sources();
    const given: [number, Buffer][] = [];
    for (let turn = 0; turn < 2; turn++) {
      for (let position = 0; position < SIZE - 4096; position += 4096) {
        given.push([position, ahead.peek(position, 4096) ?? (await ahead.read(position, 4096))]);
        await ahead.lend(SIZE - 4096 - position, 4096, () => undefined);
      }
    }
    expect(given.every(([at, bytes]) => bytes.equals(content.subarray(at, at + 4096)))).toBe(true);
  });

  it('lets a failure of whoever uses lent bytes through', async () => {
    const { ahead } = sources();
    for (let turn = 0; turn < 5; turn++) {
      const fail = (): never => {
        throw new Error('of no use');
      };
      await expect((async () => ahead.lend(turn * 4096, 4096, fail))()).rejects.toThrow('of no use');
    }
  });

  it('fails only where the bytes asked for cannot be read', async () => {
    const { disk, ahead } = sources();
    disk.limit = 40_000;
    for (let position = 0; position + 4096 <= disk.limit; position += 4096) await ahead.read(position, 4096);
    await expect(ahead.read(40_000, 10)).rejects.toThrow('the disk failed');
    disk.limit = SIZE;
    expect(await ahead.read(40_000, 10)).toEqual(content.subarray(40_000, 40_010));
  });

  it('counts what it holds in the budget until it is closed', async () => {
    const { disk, ahead, budget } = sources();
    for (let position = 0; position < SIZE - 4096; position += 4096) await ahead.read(position, 4096);
    expect(budget.used).toBeGreaterThan(0);
    expect(budget.used).toBeLessThanOrEqual(32 * READ_AHEAD_WINDOW);
    await ahead[Symbol.asyncDispose]();
    expect(budget.used).toBe(0);
    expect(disk.closed).toBe(true);
  });
});

/** A source that reads into the memory that it is given, a moment later, as files do. */
class Copying extends MemorySource {
  override async read(position: number, length: number, into?: Buffer): Promise<Buffer> {
    await new Promise((resolve) => setImmediate(resolve));
    const bytes = await super.read(position, length);
    if (into === undefined) return Buffer.from(bytes);
    bytes.copy(into);
    return into.subarray(0, length);
  }
}

test('bytes are right whichever windows go, and views stay as they are', async () => {
  const bytes = randomBytes(24 * READ_AHEAD_WINDOW + 1234);
  const reader = fc.record({
    // Near to one another, so that they count as one that goes through the image.
    at: fc.integer({ min: 0, max: 3 * READ_AHEAD_WINDOW }),
    steps: fc.array(fc.integer({ min: 1, max: READ_AHEAD_WINDOW }), { minLength: 1, maxLength: 40 }),
    how: fc.constantFrom('peek', 'read', 'lend'),
  });
  const kept = fc.integer({ min: 1, max: 6 }).map((windows) => windows * READ_AHEAD_WINDOW);
  await fc.assert(
    fc.asyncProperty(
      fc.array(reader, { minLength: 1, maxLength: 8 }),
      kept,
      fc.infiniteStream(fc.nat()),
      async (readers, budget, turns) => {
        await using source = new ReadAheadSource(new Copying(bytes, 'memory'), new CacheBudget(budget));
        const views: { readonly view: Buffer; readonly wanted: Buffer }[] = [];
        const left = readers.map(({ at, steps, how }) => ({ at, steps: [...steps], how }));
        for (let open = left; open.length > 0; open = open.filter(({ steps }) => steps.length > 0)) {
          const turn = open[turns.next().value % open.length]!;
          const length = Math.min(turn.steps.shift()!, bytes.length - turn.at);
          const wanted = bytes.subarray(turn.at, turn.at + length);
          if (turn.how === 'lend') {
            await source.lend(turn.at, length, async (lent) => {
              await Promise.resolve();
              expect(lent.equals(wanted)).toBe(true);
            });
          } else {
            const peeked = turn.how === 'peek' ? source.peek(turn.at, length) : undefined;
            const view = peeked ?? (await source.read(turn.at, length));
            expect(view.equals(wanted)).toBe(true);
            views.push({ view, wanted });
          }
          turn.at += length;
          if (turn.at >= bytes.length) turn.steps = [];
        }
        for (const { view, wanted } of views) expect(view.equals(wanted)).toBe(true);
      },
    ),
    { numRuns: 150 },
  );
});
