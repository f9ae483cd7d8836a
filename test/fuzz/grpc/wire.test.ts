import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Client, compressionAlgorithms, credentials } from '@grpc/grpc-js';
import fc from 'fast-check';
import { connectSnapshots } from '../../../proto/snapshots';
import { codeOf } from '../../harness/snapshots-connection';
import { search } from '../search';
import { FuzzedDaemon } from './fuzzed-daemon';
import { ofBytes, rawCall } from './raw-call';

const SERVICE = '/containerd.services.snapshots.v1.Snapshots';
const METHODS = [
  'Prepare',
  'View',
  'Mounts',
  'Commit',
  'Remove',
  'Stat',
  'Update',
  'List',
  'Usage',
  'Cleanup',
];
/** RFC 9113, section 3.4, and an empty SETTINGS frame. */
const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from('000000040000000000', 'hex'),
]);
const DEADLINE_MS = 10_000;

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

/** One HTTP/2 frame; the length may be a lie. */
function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array,
  length = payload.length,
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

const bytes = fc.uint8Array({ maxLength: 60 });
const frames = fc
  .tuple(
    fc.nat({ max: 12 }),
    fc.nat({ max: 255 }),
    fc.constantFrom(0, 1, 2, 3, 2 ** 31),
    bytes,
    fc.option(fc.nat({ max: 2 ** 24 - 1 }), { nil: undefined }),
  )
  .map((parts) => frame(...parts));
const streams = fc.oneof(
  bytes.map((noise) => Buffer.from(noise)),
  fc.array(frames, { maxLength: 8 }).map((all) => Buffer.concat([PREFACE, ...all])),
);

async function opened(socket: string): Promise<Socket> {
  const connection = connect(socket);
  // The server may cut it off at any moment.
  connection.on('error', () => undefined);
  await once(connection, 'connect');
  return connection;
}

test('garbage on the sockets, and connections that say nothing more, disturb nobody', async () => {
  const { address, 'admin-address': admin } = daemon.place.flags;
  const connections: Socket[] = [];
  try {
    const trial = async (socket: string, garbage: Buffer): Promise<void> => {
      const connection = await opened(socket);
      connections.push(connection);
      connection.write(garbage);
      expect(Array.isArray(await daemon.client.list())).toBe(true);
    };
    const property = fc.asyncProperty(fc.constantFrom(address, admin), streams, trial);
    await search(property, { short: 1, long: 60, trials: 500 });
  } finally {
    for (const connection of connections) connection.destroy();
  }
}, 120_000);

test('messages that are no messages are answered with an error', async () => {
  const client = new Client(`unix:${daemon.place.flags.address}`, credentials.createInsecure());
  try {
    const paths = fc.constantFrom(...[...METHODS, 'Unknown', ''].map((method) => `${SERVICE}/${method}`));
    const messages = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((noise) => Buffer.from(noise)),
      // A key with bytes that are no UTF-8.
      fc.uint8Array({ maxLength: 40 }).map((key) => Buffer.concat([Buffer.of(0x12, key.length), key])),
    );
    const property = fc.asyncProperty(paths, messages, async (path, message) => {
      expect(await rawCall(client, ofBytes(path), message, DEADLINE_MS)).not.toMatch(
        /DEADLINE_EXCEEDED|UNAVAILABLE/,
      );
    });
    await search(property, { short: 1, long: 60 });
    expect(Array.isArray(await daemon.client.list())).toBe(true);
  } finally {
    client.close();
  }
}, 120_000);

test('messages that are too large, also once they are inflated, are refused', async () => {
  expect(await codeOf(daemon.client.stat('x'.repeat(5 << 20)))).toBe('RESOURCE_EXHAUSTED');
  const client = new Client(`unix:${daemon.place.flags.address}`, credentials.createInsecure(), {
    'grpc.default_compression_algorithm': compressionAlgorithms.gzip,
  });
  try {
    const zeroes = Buffer.alloc(64 << 20);
    expect(gzipSync(zeroes).length).toBeLessThan(1 << 20);
    expect(await rawCall(client, ofBytes(`${SERVICE}/Stat`), zeroes, DEADLINE_MS)).toBe('RESOURCE_EXHAUSTED');
  } finally {
    client.close();
  }
}, 60_000);

test('a flood of calls that are given up at once leaves nothing behind', async () => {
  const { address } = daemon.place.flags;
  await daemon.client.prepare('parent-key');
  await daemon.client.commit('parent', 'parent-key');
  // On a connection of its own: one on which so many calls are given up is cut off in the end, as HTTP/2 libraries do.
  const client = connectSnapshots(`unix:${address}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  const outcomes: Promise<void>[] = [];
  const settled = (start: (done: () => void) => { cancel(): void }, index: number): void => {
    outcomes.push(
      new Promise((resolve) => {
        const call = start(resolve);
        if (index % 3 === 0) call.cancel();
        else setTimeout(() => call.cancel(), index % 7);
      }),
    );
  };
  try {
    for (let index = 0; index < 400; index += 1) {
      const key = `flood-${index % 40}`;
      const snapshot = { snapshotter: 'test', key, parent: index % 2 === 0 ? 'parent' : '', labels: {} };
      settled((done) => client.Prepare(snapshot, {}, done), index);
      settled((done) => client.Commit({ name: `${key}-done`, key }, {}, done), index);
      settled((done) => client.Usage({ key }, {}, done), index);
      settled(
        (done) =>
          client
            .List({ filters: ['name~=flood.*[0-9]'] })
            .on('error', done)
            .on('end', done)
            .resume(),
        index,
      );
      settled((done) => client.Remove({ key }, {}, done), index);
    }
    await Promise.all(outcomes);
  } finally {
    client.close();
  }
  expect((await daemon.client.stat('parent')).name).toBe('parent');
}, 120_000);
