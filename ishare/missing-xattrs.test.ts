import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildImage } from '../erofs/build';
import { eventually } from '../linux/testing/eventually';
import { getXattr, setXattr } from '../linux/xattr';
import { EnginePlace } from './testing/engine-place';

const run = promisify(execFile);
/** Some more than it takes. */
const FILES = 1200;
const LABEL = Buffer.from('system_u:object_r:bin_t:s0\0');

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ishare-missing-xattrs-'));
  const source = join(directory, 'source');
  await mkdir(source);
  for (let index = 0; index < FILES; index += 1) await writeFile(join(source, `file-${index}`), '');
  await buildImage({
    source: { directory: source, overlay: false },
    target: join(directory, 'without.erofs'),
  });
  setXattr(join(source, 'file-7'), 'security.selinux', LABEL);
  await buildImage({ source: { directory: source, overlay: false }, target: join(directory, 'with.erofs') });
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

/** Questions for attributes during a listing. */
async function askedBy(place: EnginePlace, root: string): Promise<number> {
  const asked = async (): Promise<number> => (await place.engine.state()).requests.images['GETXATTR'] ?? 0;
  const before = await asked();
  await run('ls', ['-l', root], { timeout: 20_000 });
  return (await asked()) - before;
}

test('attributes that no file of an image has are asked of one file, once that is known', async () => {
  await using place = await EnginePlace.start();
  const root = await place.engine.attach(place.layer(join(directory, 'without.erofs'), undefined));
  // Labels and access lists, until it is known.
  expect(await askedBy(place, root)).toBeGreaterThan(FILES);
  await eventually('it is known', async () => (await askedBy(place, root)) < 10);
});

test('those that one file has are asked of all, and found', async () => {
  await using place = await EnginePlace.start();
  const root = await place.engine.attach(place.layer(join(directory, 'with.erofs'), undefined));
  await askedBy(place, root);
  await eventually('it is known', async () => (await askedBy(place, root)) < 2 * FILES);
  expect(await askedBy(place, root)).toBeGreaterThan(FILES);
  expect(getXattr(join(root, 'file-7'), 'security.selinux')).toEqual(LABEL);
});
