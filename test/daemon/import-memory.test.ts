import { mkdir, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { peakMemory } from '../../bench/memory/process-memory';
import { END, member } from '../../erofs/writer/tar/testing/craft-tar';
import { DiffConnection, storeBlob } from '../harness/diff-connection';
import { noise } from '../harness/noise';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { DaemonPlace } from './daemon-place';

const MIB = 2 ** 20;
const LIMIT = 200 * MIB;
const LAYERS = 3;

/** A layer of files of many sizes, the largest of which go through several batches. */
function layer(mebibytes: number): Buffer {
  const members: Buffer[] = [];
  for (let index = 0, left = mebibytes * MIB; left > 0; index++) {
    const length = Math.min(left, [9 * MIB, 700_001, 3_000, 60_000][index % 4] ?? 0);
    members.push(member({ name: `file-${index}` }, noise(`file ${index}`, length)));
    left -= length;
  }
  return gzipSync(Buffer.concat([...members, END]), { level: 1 });
}

/** What a daemon has had at most after it has unpacked and committed layers of one image, in bytes. */
async function peakOf(mebibytes: number): Promise<number> {
  await using place = await DaemonPlace.create();
  const content = place.in('content');
  await mkdir(content);
  await writeFile(place.flags.config, `[containerd]\ncontent_root = "${content}"\n`);
  const daemon = await place.start();
  using snapshots = new SnapshotsConnection(place.flags.address);
  using diff = new DiffConnection(place.flags.address);
  const blob = storeBlob(content, layer(mebibytes));
  for (let index = 0; index < LAYERS; index++) {
    const key = `default/1/extract ${index}`;
    await diff.apply(blob, await snapshots.prepare(key, index === 0 ? '' : `layer ${index - 1}`));
    await snapshots.commit(`layer ${index}`, key);
  }
  return await peakMemory(daemon.pid);
}

test('peak memory of unpacking does not depend on the size of the layers', async () => {
  const [small, large] = [await peakOf(16), await peakOf(96)];
  expect(small).toBeGreaterThan(0);
  expect(small).toBeLessThan(LIMIT);
  expect(large).toBeLessThan(LIMIT);
  expect(large).toBeLessThan(small * 1.15);
});
