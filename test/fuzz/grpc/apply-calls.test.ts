import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ServiceError } from '@grpc/grpc-js';
import fc from 'fast-check';
import { checkImage } from '../../../erofs/check/image-check';
import { ErofsImage } from '../../../erofs/image';
import { TemporaryDirectory } from '../../../scripts/process/temporary-directory';
import { DiffConnection, storeBlob } from '../../harness/diff-connection';
import { codeName } from '../../harness/snapshots-connection';
import { search } from '../search';
import { FuzzedDaemon } from './fuzzed-daemon';
import { layers, type HostileLayer } from './layers';

/** What a layer may be answered with; UNAVAILABLE is the absent containerd's, which is asked for blobs that are no file. */
const ANSWERS = ['OK', 'INVALID_ARGUMENT', 'FAILED_PRECONDITION', 'UNIMPLEMENTED', 'UNAVAILABLE'];

let blobs: TemporaryDirectory;
let daemon: FuzzedDaemon;
let diff: DiffConnection;

beforeAll(async () => {
  blobs = await TemporaryDirectory.create('ishare-blobs');
  const content = `address = "${join(blobs.path, 'nobody.sock')}"\ncontent_root = "${blobs.path}"\n`;
  daemon = await FuzzedDaemon.start(`[containerd]\n${content}`);
  diff = new DiffConnection(daemon.place.flags.address);
});

afterAll(async () => {
  diff[Symbol.dispose]();
  try {
    expect(await daemon.complaints()).toEqual([]);
  } finally {
    await daemon[Symbol.asyncDispose]();
    await blobs[Symbol.asyncDispose]();
  }
}, 60_000);

async function expectSound(path: string): Promise<void> {
  await using image = await ErofsImage.open(path);
  const findings = checkImage(image);
  expect(await findings.next()).toMatchObject({ done: true });
}

test('layers that are damaged, or said to be others, become whole images or nothing', async () => {
  const seen = new Set<string>();
  let trials = 0;
  const trial = async ({ bytes, said }: HostileLayer): Promise<void> => {
    trials += 1;
    const [key, name] = [`key-${trials}`, `done-${trials}`];
    const mounts = await daemon.client.prepare(key);
    const directory = dirname(mounts[0]!.source);
    const layer = { ...storeBlob(blobs.path, bytes), ...said };
    const answer = await diff.apply(layer, mounts).then(
      () => 'OK',
      (error: unknown) => codeName(error as ServiceError),
    );
    expect(ANSWERS).toContain(answer);
    seen.add(answer);
    const image = join(directory, 'unpacked.erofs');
    if (answer === 'OK') {
      await expectSound(image);
      await daemon.client.commit(name, key);
      await daemon.client.remove(name);
    } else {
      expect((await readdir(directory)).sort()).toEqual(['fs', 'work']);
      await daemon.client.remove(key);
    }
    expect(existsSync(image)).toBe(false);
  };
  await search(fc.asyncProperty(layers, trial), { short: 2, long: 120 });
  expect([...seen]).toEqual(expect.arrayContaining(['OK', 'FAILED_PRECONDITION']));
}, 300_000);
