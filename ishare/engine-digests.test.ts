import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { buildImage } from '../erofs/build';
import type { RecordedDigests } from './layer-server';
import { digestOf, EnginePlace, TEAM } from './testing/engine-place';

const run = promisify(execFile);
const content = randomBytes(300_000);

let directory: string;

interface Recorded {
  readonly image: string;
  readonly digests: RecordedDigests;
}

/** An image with `file`, whose name makes it differ from others, and with the digests of its blocks. */
async function makeImage(name: string): Promise<Recorded> {
  const tree = path.join(directory, name);
  await mkdir(tree);
  await writeFile(path.join(tree, 'file'), content);
  await writeFile(path.join(tree, name), name);
  const image = path.join(directory, `${name}.erofs`);
  const digests = path.join(directory, `${name}.digests`);
  const { digestsRoot } = await buildImage({
    source: { directory: tree, overlay: false },
    target: image,
    digests,
  });
  return { image, digests: { path: digests, root: digestsRoot! } };
}

/** Changes one byte of `file` in the image. */
async function tamper({ image }: Recorded): Promise<void> {
  const at = (await readFile(image)).indexOf(content.subarray(0, 64)) + 150_000;
  await using file = await open(image, 'r+');
  await file.write(Buffer.of(content[150_000]! ^ 1), 0, 1, at);
}

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'digests-'));
});

afterEach(() => rm(directory, { recursive: true }));

test('a block that was changed on disk gives EIO, never its bytes, and the image is told of', async () => {
  const bad = await makeImage('bad');
  await tamper(bad);
  const damaged: string[] = [];
  await using place = await EnginePlace.start({}, { onDamage: (image) => damaged.push(image) });
  const root = await place.engine.attach(place.layer(bad.image, TEAM, { digests: bad.digests }));
  await expect(run('cat', [`${root}/file`])).rejects.toThrow(/Input\/output error/);
  expect(damaged).toContain(bad.image);
  expect(await readFile(`${root}/bad`, 'utf8')).toBe('bad');
});

test('another image of the domain supplies what one has wrong', async () => {
  const bad = await makeImage('bad');
  const good = await makeImage('good');
  await tamper(bad);
  const damaged: string[] = [];
  await using place = await EnginePlace.start({}, { onDamage: (image) => damaged.push(image) });
  const root = await place.engine.attach(place.layer(bad.image, TEAM, { digests: bad.digests }));
  await place.engine.attach(place.layer(good.image, TEAM, { digests: good.digests }));
  // Every reference is taken once the images are listed.
  await place.engine.attachedImages();
  expect(await digestOf(`${root}/file`)).toBe(await digestOf(path.join(directory, 'bad', 'file')));
  expect(new Set(damaged)).toEqual(new Set([bad.image]));
});

test('a table that was changed with its image is noticed when the image is attached', async () => {
  const one = await makeImage('one');
  const other = await makeImage('other');
  await using place = await EnginePlace.start();
  const layer = place.layer(one.image, TEAM, { digests: { ...one.digests, root: other.digests.root } });
  await expect(place.engine.attach(layer)).rejects.toMatchObject({ name: 'ErofsDigestError' });
});
