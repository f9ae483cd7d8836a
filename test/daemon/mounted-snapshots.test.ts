import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../linux/testing/eventually';
import { IshareCommand } from '../harness/ishare-command';
import { mountSnapshot } from '../harness/mounting';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { DaemonPlace } from './daemon-place';
import { commitFiles } from './layers';

/** Above the time for which a layer without a snapshot stays attached (ms). */
const LINGER_MS = 6_000;

let place: DaemonPlace;
let client: SnapshotsConnection;
let ishare: IshareCommand;

beforeAll(async () => {
  place = await DaemonPlace.create('[domains]\ndefault = "all"\n');
  await place.start();
  client = new SnapshotsConnection(place.flags.address);
  ishare = new IshareCommand(place.flags['admin-address']);
  await commitFiles(client, 'layer', { file: 'of the layer', other: 'opened after all was removed' });
  await client.prepare('middle', 'layer');
  await client.commit('upper layer', 'middle');
});

afterAll(async () => {
  client[Symbol.dispose]();
  await place[Symbol.asyncDispose]();
});

test.each([
  ['an overlay', 'upper layer'],
  ['a bind mount', ''],
])(
  'the files of a snapshot that is removed while it is mounted as %s stay until it is not',
  async (_what, parent) => {
    using mounted = await mountSnapshot(await client.prepare('active', parent), place.in('mnt'));
    await writeFile(join(mounted.path, 'written'), 'x');
    await client.remove('active');
    await client.cleanup();
    expect(await readFile(join(mounted.path, 'written'), 'utf8')).toBe('x');
    await writeFile(join(mounted.path, 'later'), 'y');
    mounted[Symbol.dispose]();
    await client.cleanup();
    expect(await readdir(place.in('root', 'snapshots'))).toEqual([]);
    await eventually('it is deleted', async () => (await readdir(place.in('root', 'trash'))).length === 0);
  },
);

test('views that are removed while they are mounted go on, and their layers stay', async () => {
  using bound = await mountSnapshot(await client.view('one', 'layer'), place.in('bound'));
  using overlay = await mountSnapshot(await client.view('two', 'upper layer'), place.in('overlay'));
  await client.remove('one');
  await client.remove('two');
  await sleep(LINGER_MS);
  // Opened for the first time.
  for (const { path } of [bound, overlay])
    expect(await readFile(join(path, 'file'), 'utf8')).toBe('of the layer');
  await client.remove('upper layer');
  await client.remove('layer');
  for (const { path } of [bound, overlay])
    expect(await readFile(join(path, 'other'), 'utf8')).toBe('opened after all was removed');
  overlay[Symbol.dispose]();
  bound[Symbol.dispose]();
  await eventually(
    'its layers are let go',
    async () => (await ishare.status()).attached_images === 0,
    2 * LINGER_MS,
  );
  expect(await readdir(place.in('root', 'images'))).toEqual([]);
});
