import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildImage, buildImageOfTree } from '../erofs/build';
import { eventually } from '../linux/testing/eventually';
import { BytesContent } from '../erofs/writer/content';
import { toEntryName, type DirectoryNode, type TreeNode } from '../erofs/writer/tree';
import type { Domain, LayerAttachment, MergedLayers } from './layer-server';
import { digestOf, EnginePlace, OTHERS, TEAM } from './testing/engine-place';
import { FileUser } from './testing/file-user';

const ATTRIBUTES = { permissions: 0o755, uid: 0, gid: 0, mtime: { seconds: 1, nanoseconds: 0 }, xattrs: [] };
const COMMON = Buffer.alloc(50_000, 'common');
const OWN = Buffer.alloc(30_000, 'own');

let directory: string;
let top: string;
let bottom: string;
let merged: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'merged-layers-'));
  [top = '', bottom = '', merged = ''] = ['top', 'bottom', 'merged'].map((name) =>
    path.join(directory, name),
  );
  const link = file(OWN);
  await buildImageOfTree(tree({ own: link, link, hidden: whiteout() }), { target: top });
  await buildImageOfTree(tree({ common: file(COMMON), hidden: file(OWN), empty: file(Buffer.alloc(0)) }), {
    target: bottom,
  });
  await buildImage({ source: { layers: [{ path: top }, { path: bottom }] }, target: merged });
});

afterAll(() => rm(directory, { recursive: true }));

function tree(entries: Record<string, TreeNode>): DirectoryNode {
  const named = Object.entries(entries).map(
    ([name, node]) => [toEntryName(Buffer.from(name)), node] as const,
  );
  return { kind: 'directory', ...ATTRIBUTES, entries: new Map(named) };
}

function file(bytes: Buffer): TreeNode {
  return { kind: 'file', ...ATTRIBUTES, content: new BytesContent(bytes) };
}

function whiteout(): TreeNode {
  return { kind: 'character device', ...ATTRIBUTES, major: 0, minor: 0 };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

interface Attached {
  readonly root: string;
  readonly merged: MergedLayers;
  readonly layers: readonly LayerAttachment[];
}

async function attach(
  place: EnginePlace,
  domain: Domain | undefined,
  rest: Parameters<EnginePlace['layer']>[2] = {},
): Promise<Attached> {
  const layers = [place.layer(top, domain, rest), place.layer(bottom, domain, rest)];
  for (const layer of layers) await place.engine.attach(layer);
  const order: MergedLayers = {
    ...place.layer(merged, domain),
    layers: layers.map(({ attachmentId }) => attachmentId),
  };
  return { root: await place.engine.attachMerged(order), merged: order, layers };
}

test('merged layers show the merged tree, with the contents of the layers', async () => {
  await using place = await EnginePlace.start();
  const { root } = await attach(place, TEAM);
  expect((await readdir(root)).sort()).toEqual(['common', 'empty', 'link', 'own']);
  expect(await digestOf(`${root}/common`)).toBe(sha256(COMMON));
  expect(await digestOf(`${root}/link`)).toBe(sha256(OWN));
  expect(await digestOf(`${root}/empty`)).toBe(sha256(Buffer.alloc(0)));
  const [own, link] = [await stat(`${root}/own`), await stat(`${root}/link`)];
  expect([own.nlink, own.ino]).toEqual([2, link.ino]);
});

test('a file has the same pages through a layer, merged layers, and merged layers of others', async () => {
  await using place = await EnginePlace.start();
  const one = await attach(place, TEAM);
  const other = await attach(place, TEAM);
  const alone = await place.engine.attach(place.layer(bottom, TEAM));
  await digestOf(`${one.root}/common`);
  const reads = await place.dedupReads();
  expect(reads).toBeGreaterThan(0);
  expect(await digestOf(`${other.root}/common`)).toBe(sha256(COMMON));
  expect(await digestOf(`${alone}/common`)).toBe(sha256(COMMON));
  expect(await place.dedupReads()).toBe(reads);
  const foreign = await attach(place, OTHERS);
  expect(await digestOf(`${foreign.root}/common`)).toBe(sha256(COMMON));
  expect(await place.dedupReads()).toBeGreaterThan(reads);
});

test('what is opened through merged layers counts for the layer that has it', async () => {
  await using place = await EnginePlace.start();
  const { root, layers } = await attach(place, TEAM);
  await digestOf(`${root}/common`);
  const { images, inodes } = await place.engine.measure();
  expect(images.map(({ imagePath }) => imagePath)).toEqual([top, bottom]);
  const inode = inodes.find(({ size }) => size === COMMON.length);
  expect(inode?.users).toEqual([layers[1]?.attachmentId]);
});

test('a layer in no domain has one set of pages, whatever chains it is in, and shares them with nobody', async () => {
  await using place = await EnginePlace.start();
  const layers = [place.layer(top, undefined), place.layer(bottom, undefined)];
  for (const layer of layers) await place.engine.attach(layer);
  const roots: string[] = [];
  for (let chain = 0; chain < 2; chain += 1) {
    const order = place.layer(merged, undefined);
    const ids = layers.map(({ attachmentId }) => attachmentId);
    roots.push(await place.engine.attachMerged({ ...order, layers: ids }));
  }
  expect(await digestOf(`${roots[0]}/common`)).toBe(sha256(COMMON));
  const reads = await place.dedupReads();
  expect(reads).toBeGreaterThan(0);
  expect(await digestOf(`${roots[1]}/common`)).toBe(sha256(COMMON));
  expect(await place.dedupReads()).toBe(reads);
  const { root } = await attach(place, undefined);
  expect(await digestOf(`${root}/common`)).toBe(sha256(COMMON));
  expect(await place.dedupReads()).toBeGreaterThan(reads);
  expect((await place.engine.measure()).inodes).toEqual([]);
});

test('layers in no domain are cached by the images mount where the kernel has no passthrough', async () => {
  await using place = await EnginePlace.start({ passthrough: false });
  const { root } = await attach(place, undefined);
  expect(await digestOf(`${root}/common`)).toBe(sha256(COMMON));
  expect(await place.dedupReads()).toBe(0);
});

test('without passthrough the contents come from the dedup inodes too', async () => {
  await using place = await EnginePlace.start({ passthrough: false });
  const { root } = await attach(place, TEAM);
  expect(await digestOf(`${root}/common`)).toBe(sha256(COMMON));
  expect(await place.dedupReads()).toBeGreaterThan(0);
  await using user = await FileUser.open(`${root}/own`);
  expect(await user.map('private')).toBe(true);
  expect((await user.mapped(0, OWN.length)).equals(OWN)).toBe(true);
});

test('files of a layer that is not believed have inodes of their own, until it is', async () => {
  await using place = await EnginePlace.start();
  const believed = await attach(place, TEAM);
  const doubtful = path.join(directory, 'doubtful');
  await buildImageOfTree(tree({ common: file(COMMON) }), { target: doubtful });
  const chain = path.join(directory, 'chain');
  await buildImage({ source: { layers: [{ path: top }, { path: doubtful }] }, target: chain });
  const layers = [place.layer(top, TEAM), place.layer(doubtful, TEAM, { trust: 'unverified' })];
  for (const layer of layers) await place.engine.attach(layer);
  const order = { ...place.layer(chain, TEAM), layers: layers.map(({ attachmentId }) => attachmentId) };
  const root = await place.engine.attachMerged(order);
  await digestOf(`${believed.root}/common`);
  const reads = await place.dedupReads();
  expect(await digestOf(`${root}/common`)).toBe(sha256(COMMON));
  const own = await place.dedupReads();
  expect(own).toBeGreaterThan(reads);
  await place.engine.learn({ imagePath: doubtful, trust: 'verified', verified: [] });
  expect(await digestOf(`${root}/common`)).toBe(sha256(COMMON));
  expect(await place.dedupReads()).toBe(own);
  await place.engine.learn({ imagePath: doubtful, trust: 'quarantined', verified: [] });
  expect(await digestOf(`${root}/common`)).toBe(sha256(COMMON));
  expect(await place.dedupReads()).toBeGreaterThan(own);
});

test('a file that is open stays readable when merged layers and layers are detached', async () => {
  await using place = await EnginePlace.start();
  const { root, merged: order, layers } = await attach(place, TEAM);
  await using user = await FileUser.open(`${root}/common`);
  for (const { attachmentId } of [order, ...layers]) await place.engine.detach(attachmentId);
  expect((await user.read(0, COMMON.length)).equals(COMMON)).toBe(true);
  await expect(readdir(root)).rejects.toThrow();
  await user.close();
  await eventually('all inodes are gone', async () => (await place.engine.measure()).inodes.length === 0);
});

test('layers that are detached first stay open for what is merged of them', async () => {
  await using place = await EnginePlace.start();
  const { root, merged: order, layers } = await attach(place, TEAM);
  for (const { attachmentId } of layers) await place.engine.detach(attachmentId);
  expect(await digestOf(`${root}/common`)).toBe(sha256(COMMON));
  await place.engine.detach(order.attachmentId);
  expect((await place.engine.measure()).inodes).toEqual([]);
});

test('a layer of which another image was merged is noticed', async () => {
  const damage: string[] = [];
  await using place = await EnginePlace.start({}, { onDamage: (image) => damage.push(image) });
  const layers = [place.layer(bottom, TEAM), place.layer(top, TEAM)];
  for (const layer of layers) await place.engine.attach(layer);
  const order = { ...place.layer(merged, TEAM), layers: layers.map(({ attachmentId }) => attachmentId) };
  const root = await place.engine.attachMerged(order);
  await expect(readFile(`${root}/common`)).rejects.toThrow();
  // It comes from another thread.
  await eventually('the damage is told', () => damage.includes(merged));
});

test('merged layers without one of their layers are refused', async () => {
  await using place = await EnginePlace.start();
  const order = { ...place.layer(merged, TEAM), layers: [77, 78] };
  await expect(place.engine.attachMerged(order)).rejects.toThrow('is not attached');
});

test('a merged image that is not what was recorded is refused', async () => {
  const target = path.join(directory, 'recorded');
  const digests = path.join(directory, 'recorded.digests');
  const layers = [{ path: top }, { path: bottom }];
  const { digestsRoot } = await buildImage({ source: { layers }, target, digests });
  await using place = await EnginePlace.start();
  const attached = [place.layer(top, TEAM), place.layer(bottom, TEAM)];
  for (const layer of attached) await place.engine.attach(layer);
  const order = (): MergedLayers => ({
    ...place.layer(target, TEAM, { digests: { path: digests, root: digestsRoot! } }),
    layers: attached.map(({ attachmentId }) => attachmentId),
  });
  const root = await place.engine.attachMerged(order());
  expect(await digestOf(`${root}/common`)).toBe(sha256(COMMON));
  const bytes = await readFile(target);
  bytes.writeUInt8(bytes.readUInt8(1100) ^ 1, 1100);
  await writeFile(target, bytes);
  await expect(place.engine.attachMerged(order())).rejects.toThrow(target);
});
