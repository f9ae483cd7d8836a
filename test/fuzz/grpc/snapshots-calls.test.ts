import fc from 'fast-check';
import { search } from '../search';
import { FuzzedDaemon } from './fuzzed-daemon';
import { calls, make } from './snapshots-calls';
import { shownInfo, SnapshotsModel, type Call } from './snapshots-model';

/** Filters are right or wrong, or larger together than gRPC lets a message be. */
const ANSWERS_TO_LIST = ['OK', 'INVALID_ARGUMENT', 'RESOURCE_EXHAUSTED'];
/** What calls that meet may be answered with; anything else is a fault of this program. */
const ANSWERS = [...ANSWERS_TO_LIST, 'NOT_FOUND', 'ALREADY_EXISTS', 'FAILED_PRECONDITION'];

let daemon: FuzzedDaemon;

beforeAll(async () => {
  daemon = await FuzzedDaemon.start();
});

afterAll(async () => {
  try {
    expect(await daemon.complaints()).toEqual([]);
  } finally {
    await daemon[Symbol.asyncDispose]();
  }
}, 60_000);

async function shown(): Promise<string[]> {
  return (await daemon.client.list()).map(shownInfo).sort();
}

/** Everything that there is, children before their parents. */
async function removeAll(): Promise<void> {
  for (let left = await daemon.client.list(); left.length > 0; left = await daemon.client.list()) {
    const parents = new Set(left.map(({ parent }) => parent));
    for (const { name } of left) if (!parents.has(name)) await daemon.client.remove(name);
  }
}

test('calls with hostile texts, one after the other, do what the model does', async () => {
  const trial = async (sequence: Call[]): Promise<void> => {
    await removeAll();
    const model = new SnapshotsModel();
    for (const call of sequence) {
      const answer = await make(daemon.client, call);
      if (call.method === 'list') expect(ANSWERS_TO_LIST).toContain(answer);
      else expect(answer).toBe(model.apply(call));
    }
    expect(await shown()).toEqual(model.shown());
  };
  await search(fc.asyncProperty(fc.array(calls, { minLength: 1, maxLength: 15 }), trial), {
    short: 3,
    long: 120,
  });
}, 300_000);

test('calls with hostile texts, all at once, leave a state that is in agreement', async () => {
  const trial = async (batch: Call[]): Promise<void> => {
    await removeAll();
    const answers = await Promise.all(batch.map((call) => make(daemon.client, call)));
    for (const answer of answers) expect(ANSWERS).toContain(answer);
    // A server that hangs fails this by its deadline.
    const names = (await daemon.client.list()).map(({ name }) => name);
    for (const name of names) expect(await make(daemon.client, { method: 'stat', key: name })).toBe('OK');
  };
  await search(fc.asyncProperty(fc.array(calls, { minLength: 5, maxLength: 30 }), trial), {
    short: 2,
    long: 120,
  });
}, 300_000);
