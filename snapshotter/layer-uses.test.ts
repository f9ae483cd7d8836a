import fc from 'fast-check';
import { createLogger } from 'winston';
import type { LayerAttachment, LayerServer, MergedLayers } from '../ishare/layer-server';
import { eventually } from '../linux/testing/eventually';
import { LayerUses } from './layer-uses';

const logger = createLogger({ silent: true });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function layer(attachmentId: number): LayerAttachment {
  return {
    attachmentId,
    imagePath: `/images/${attachmentId}.erofs`,
    label: `layer ${attachmentId}`,
    domain: undefined,
    nodeRange: 1,
    inoBase: 65536,
    inoCount: 1,
    trust: 'computed',
    verified: [],
    digests: undefined,
  };
}

function merged(attachmentId: number, ...layers: number[]): MergedLayers {
  const { trust: _trust, verified: _verified, ...image } = layer(attachmentId);
  return { ...image, layers };
}

/** Keeps account of what is attached, and notices calls about one layer that overlap. */
class AccountingServer implements LayerServer {
  readonly attached = new Set<number>();
  readonly calls: string[] = [];
  readonly broken = new Set<number>();
  overlaps = 0;
  /** Layers that were detached before what is merged of them. */
  readonly tooEarly: number[] = [];
  readonly #merged = new Map<number, readonly number[]>();
  readonly #busy = new Set<number>();

  constructor(readonly delayMs = 0) {}

  attach({ attachmentId: id }: LayerAttachment): Promise<string> {
    return this.#exclusively(id, 'attach', () => {
      if (this.broken.has(id)) throw new Error(`layer ${id} is broken`);
      this.attached.add(id);
      return `/layers/${id}`;
    });
  }

  attachMerged({ attachmentId: id, layers }: MergedLayers): Promise<string> {
    return this.#exclusively(id, 'attach', () => {
      if (layers.some((each) => !this.attached.has(each)))
        throw new Error(`a layer of ${id} is not attached`);
      this.attached.add(id);
      this.#merged.set(id, layers);
      return `/layers/${id}`;
    });
  }

  detach(id: number): Promise<void> {
    for (const [merged, layers] of this.#merged)
      if (this.attached.has(merged) && layers.includes(id)) this.tooEarly.push(id);
    return this.#exclusively(id, 'detach', () => void this.attached.delete(id));
  }

  async #exclusively<Result>(id: number, what: string, work: () => Result): Promise<Result> {
    this.calls.push(`${what} ${id}`);
    if (this.#busy.has(id)) this.overlaps += 1;
    this.#busy.add(id);
    try {
      await pause(this.delayMs);
      return work();
    } finally {
      this.#busy.delete(id);
    }
  }
}

test('a chain is attached once, whoever uses it, and its directories come in order', async () => {
  const server = new AccountingServer();
  const uses = new LayerUses(server, { lingerMs: 0, logger });
  const [first, second] = await Promise.all([uses.use(1, [layer(8), layer(7)]), uses.use(2, [layer(7)])]);
  expect(first).toEqual(['/layers/8', '/layers/7']);
  expect(second).toEqual(['/layers/7']);
  expect(server.calls.sort()).toEqual(['attach 7', 'attach 8']);
  await uses.close();
});

test('a layer is detached after its last user, not before', async () => {
  const server = new AccountingServer();
  const uses = new LayerUses(server, { lingerMs: 0, logger });
  await uses.use(1, [layer(7)]);
  await uses.use(2, [layer(7)]);
  uses.release(1);
  await pause(20);
  expect(server.attached).toContain(7);
  uses.release(2);
  while (server.attached.has(7)) await pause(1);
});

test('a layer that is wanted again within the linger time stays attached', async () => {
  const server = new AccountingServer();
  const uses = new LayerUses(server, { lingerMs: 60_000, logger });
  for (let snapshot = 1; snapshot <= 5; snapshot++) {
    await uses.use(snapshot, [layer(7)]);
    uses.release(snapshot);
  }
  expect(server.calls).toEqual(['attach 7']);
  expect(uses.attached()).toEqual([7]);
  await uses.close();
  expect(server.calls).toEqual(['attach 7', 'detach 7']);
});

test('the layer of a removed image is detached at once', async () => {
  const server = new AccountingServer();
  const uses = new LayerUses(server, { lingerMs: 60_000, logger });
  await uses.use(1, [layer(7)]);
  uses.release(1);
  await uses.drop([7, 99]);
  expect(server.attached).not.toContain(7);
  expect(uses.attached()).toEqual([]);
});

test('closing leaves layers attached that snapshots use', async () => {
  const server = new AccountingServer();
  const uses = new LayerUses(server, { lingerMs: 60_000, logger });
  await uses.use(1, [layer(7), layer(8)]);
  await uses.use(2, [layer(8)]);
  uses.release(1);
  await uses.close();
  expect(Array.from(server.attached)).toEqual([8]);
});

test('a layer that cannot be attached fails its user, and is tried again the next time', async () => {
  const server = new AccountingServer();
  const uses = new LayerUses(server, { lingerMs: 0, logger });
  server.broken.add(7);
  await expect(uses.use(1, [layer(8), layer(7)])).rejects.toThrow('layer 7 is broken');
  server.broken.delete(7);
  expect(await uses.use(1, [layer(8), layer(7)])).toEqual(['/layers/8', '/layers/7']);
  uses.release(1);
  await uses.close();
  expect(server.attached.size).toBe(0);
});

test('using, releasing and dropping at random never overlaps calls and never loses a layer in use', async () => {
  const action = fc.record({
    what: fc.constantFrom('use', 'release', 'drop', 'wait'),
    snapshot: fc.integer({ min: 1, max: 3 }),
    layers: fc.uniqueArray(fc.integer({ min: 1, max: 3 }), { minLength: 1 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
      const server = new AccountingServer(1);
      const uses = new LayerUses(server, { lingerMs: 1, logger });
      const wanted = new Map<number, Set<number>>();
      const pending: Promise<unknown>[] = [];
      for (const { what, snapshot, layers } of actions) {
        if (what === 'use') {
          wanted.set(snapshot, new Set([...(wanted.get(snapshot) ?? []), ...layers]));
          pending.push(uses.use(snapshot, layers.map(layer)));
        } else if (what === 'release') {
          wanted.delete(snapshot);
          uses.release(snapshot);
        } else if (what === 'drop') {
          pending.push(uses.drop(layers));
        } else {
          await pause(2);
        }
      }
      await Promise.all(pending);
      await uses.close();
      const inUse = new Set(Array.from(wanted.values(), (ids) => Array.from(ids)).flat());
      expect(Array.from(server.attached).sort()).toEqual(Array.from(inUse).sort());
      expect(server.overlaps).toBe(0);
    }),
    { numRuns: 60 },
  );
});

describe('merged layers', () => {
  test('have one directory, and go with their layers when nobody needs them, before those', async () => {
    const server = new AccountingServer();
    const uses = new LayerUses(server, { lingerMs: 10, logger });
    const layers = [layer(2), layer(1)];
    expect(await uses.useMerged(100, merged(3, 2, 1), layers)).toBe('/layers/3');
    expect(await uses.useMerged(101, merged(3, 2, 1), layers)).toBe('/layers/3');
    uses.release(100);
    await pause(40);
    expect([...server.attached].sort()).toEqual([1, 2, 3]);
    uses.release(101);
    await eventually('all is detached', () => server.attached.size === 0);
    expect(server.tooEarly).toEqual([]);
    expect(server.calls.filter((call) => call.startsWith('attach')).sort()).toEqual([
      'attach 1',
      'attach 2',
      'attach 3',
    ]);
    expect(uses.attached()).toEqual([]);
  });

  test('leave layers alone that others need', async () => {
    const server = new AccountingServer();
    const uses = new LayerUses(server, { lingerMs: 0, logger });
    await uses.use(100, [layer(1)]);
    await uses.useMerged(101, merged(3, 2, 1), [layer(2), layer(1)]);
    uses.release(101);
    await eventually('what was merged is detached', () => server.attached.size === 1);
    await pause(20);
    expect([...server.attached]).toEqual([1]);
  });

  test('are attached again where they are asked for while they go', async () => {
    const server = new AccountingServer(5);
    const uses = new LayerUses(server, { lingerMs: 0, logger });
    const layers = [layer(2), layer(1)];
    for (let turn = 0; turn < 10; turn += 1) {
      await uses.useMerged(100, merged(3, 2, 1), layers);
      expect([...server.attached].sort()).toEqual([1, 2, 3]);
      uses.release(100);
      await pause(turn);
    }
    await eventually('all is detached', () => server.attached.size === 0);
    expect([server.tooEarly, server.overlaps]).toEqual([[], 0]);
  });

  test('of which a layer cannot be attached are attached once it can', async () => {
    const server = new AccountingServer();
    const uses = new LayerUses(server, { lingerMs: 0, logger });
    const layers = [layer(2), layer(1)];
    server.broken.add(1);
    await expect(uses.useMerged(100, merged(3, 2, 1), layers)).rejects.toThrow('layer 1 is broken');
    server.broken.delete(1);
    expect(await uses.useMerged(100, merged(3, 2, 1), layers)).toBe('/layers/3');
    uses.release(100);
    await eventually('all is detached', () => server.attached.size === 0);
  });

  test('that are dropped with their topmost layer leave the others to linger', async () => {
    const server = new AccountingServer();
    const uses = new LayerUses(server, { lingerMs: 0, logger });
    await uses.useMerged(100, merged(3, 2, 1), [layer(2), layer(1)]);
    uses.release(100);
    await uses.drop([2, 3]);
    expect(server.attached.has(2) || server.attached.has(3)).toBe(false);
    expect(server.tooEarly).toEqual([]);
    await eventually('all is detached', () => server.attached.size === 0);
  });

  test('go at the end when nobody needs them', async () => {
    const server = new AccountingServer();
    const uses = new LayerUses(server, { lingerMs: 60_000, logger });
    await uses.useMerged(100, merged(3, 2, 1), [layer(2), layer(1)]);
    await uses.useMerged(101, merged(5, 4, 1), [layer(4), layer(1)]);
    uses.release(100);
    await uses.close();
    expect([...server.attached].sort()).toEqual([1, 4, 5]);
    expect(server.tooEarly).toEqual([]);
  });
});
