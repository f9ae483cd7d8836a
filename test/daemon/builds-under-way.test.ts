import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { credentials, type ClientUnaryCall, status } from '@grpc/grpc-js';
import { eventually } from '../../linux/testing/eventually';
import { connectSnapshots, type SnapshotsClient } from '../../proto/snapshots';
import { IshareCommand } from '../harness/ishare-command';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { DaemonPlace } from './daemon-place';

/** At the highest level that takes long enough for the builds behind it to be seen waiting. */
const LAYER_BYTES = 100 * 2 ** 20;

let place: DaemonPlace;
let ishare: IshareCommand;
let client: SnapshotsConnection;
let raw: SnapshotsClient;

beforeAll(async () => {
  place = await DaemonPlace.create('[build]\nworkers = 1\nencoder = "zstd"\nlevel = 19\n');
  await place.start();
  ishare = new IshareCommand(place.flags['admin-address']);
  client = new SnapshotsConnection(place.flags.address);
  raw = connectSnapshots(`unix:${place.flags.address}`, credentials.createInsecure());
});

afterAll(async () => {
  raw.close();
  client[Symbol.dispose]();
  await place[Symbol.asyncDispose]();
});

interface Commit {
  readonly call: ClientUnaryCall;
  /** The code that it ended with; 0: it was committed. */
  readonly code: Promise<number>;
}

async function begin(name: string, bytes: number): Promise<Commit> {
  const key = `active ${name}`;
  const [mount] = await client.prepare(key);
  await writeFile(join(mount!.source, 'content'), randomBytes(bytes / 2).toString('hex'));
  let call: ClientUnaryCall | undefined;
  const code = new Promise<number>((resolve) => {
    call = raw.Commit({ name, key }, {}, (error) => resolve(error?.code ?? status.OK));
  });
  return { call: call!, code };
}

async function builds(): Promise<string[]> {
  const { builds: all } = await ishare.status();
  return all.map(({ name, running }) => `${name}: ${running ? 'is made' : 'waits'}`);
}

test('layers that wait for their images are listed, and a client that goes away takes its layer out', async () => {
  const large = await begin('large', LAYER_BYTES);
  await eventually('it is made', async () => (await builds()).includes('large: is made'));
  const given = await begin('given up', 4096);
  const patient = await begin('patient', 4096);
  await eventually('all are known', async () => (await builds()).length === 3);
  expect(await builds()).toEqual(['large: is made', 'given up: waits', 'patient: waits']);
  await eventually('it says how far it is', async () =>
    /builds +1 of 1 at once, 2 waiting, the oldest for \d+s\n +large: /.test(await ishare.text('status')),
  );

  for (const command of ['status', 'top'])
    await eventually(`${command} says how fast it goes`, async () =>
      /large: [\d.]+ [KM]iB of 100\.0 MiB \(\d+ %\) written, [\d.]+ \S+\/s/.test(await ishare.text(command)),
    );

  given.call.cancel();
  expect(await given.code).toBe(status.CANCELLED);
  await eventually('it does not wait any more', async () => !(await builds()).includes('given up: waits'));
  large.call.cancel();
  expect(await large.code).toBe(status.CANCELLED);
  expect(await patient.code).toBe(status.OK);
  await eventually('nothing is made', async () => (await builds()).length === 0);
  // Of those that were given up nothing stays but the active snapshots, which can be committed again.
  expect((await readdir(join(place.flags.root, 'images'))).sort()).toHaveLength(2);
  expect((await client.list()).map(({ name }) => name).sort()).toEqual([
    'active given up',
    'active large',
    'patient',
  ]);
  await client.commit('given up', 'active given up');
  // What was taken out of the queue was never begun.
  expect(await ishare.status()).toMatchObject({ builds_done: 2, builds_failed: 1 });
});
