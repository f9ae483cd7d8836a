import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isMetaboxNid } from '../../erofs/brands';
import { extentEnd } from '../../erofs/compression/extent';
import type { DataExtent, ErofsImage, Inode } from '../../erofs/image';
import { devicesOf, openBytes, sample, sampleNames } from './damaged-image';

async function extentsOf(image: ErofsImage, inode: Inode): Promise<DataExtent[]> {
  const extents: DataExtent[] = [];
  for await (const extent of image.extents(inode)) extents.push(extent);
  return extents;
}

describe.each(sampleNames)('%s', (name) => {
  test('extents follow one another from the first byte to the last', async () => {
    await using image = await openBytes(sample(name), false, devicesOf[name]);
    for await (const inode of image.files()) {
      let end = 0;
      for (const extent of await extentsOf(image, inode)) {
        expect(extent.start).toBe(end);
        expect(extent.length).toBeGreaterThan(0);
        end = extentEnd(extent);
      }
      expect(end).toBe(inode.size);
    }
  });

  test('bytes that are stored as they are lie where the extent says', async () => {
    const bytes = sample(name);
    const devices = (devicesOf[name] ?? []).map((file) => readFileSync(resolve('test/fixtures/erofs', file)));
    await using image = await openBytes(bytes, false, devicesOf[name]);
    for await (const inode of image.files()) {
      for (const extent of await extentsOf(image, inode)) {
        if (extent.kind !== 'stored' || (extent.inline && isMetaboxNid(inode.nid))) continue;
        const device = extent.device === 0 ? bytes : devices[extent.device - 1]!;
        const stored = device.subarray(extent.position, extent.position + extent.length);
        expect(stored.equals(await image.read(inode, extent.start, extent.length))).toBe(true);
      }
    }
  });
});

test('every way of keeping bytes is among the samples', async () => {
  const kinds = new Set<string>();
  for (const name of sampleNames) {
    await using image = await openBytes(sample(name), false, devicesOf[name]);
    for await (const inode of image.files()) {
      for (const extent of await extentsOf(image, inode)) kinds.add(extent.kind);
    }
  }
  expect([...kinds].sort()).toEqual(['fragment', 'pcluster', 'stored']);
});
