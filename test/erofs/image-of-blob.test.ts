import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { buildImage, type BuildResult, type CompressionOptions } from '../../erofs/build';
import { checkImage } from '../../erofs/check/image-check';
import { ErofsImage } from '../../erofs/image';
import { BATCH_SIZE } from '../../erofs/writer/content-task';
import { END, linkMember, member, symlinkMember } from '../../erofs/writer/tar/testing/craft-tar';
import { ReadLayer } from '../../erofs/writer/tar/testing/read-layer';
import { complaintsOfSystemFsck, fingerprintFsck } from '../../erofs/writer/testing/fsck';
import { MountedImage } from '../../erofs/writer/testing/mounted-image';
import { differences, observeDirectory } from '../../erofs/writer/testing/observation';
import { ScratchDirectory } from '../../erofs/writer/testing/scratch-directory';
import { mount, unmount } from '../../linux/mount';
import { noise } from '../harness/noise';

const LZ4: CompressionOptions = { encoder: 'lz4', pclusterSize: 16_384, inlineTails: true, rules: [] };

/** Builds the image of a tar that comes as a layer's blob. */
function build(
  target: string,
  tar: string,
  options: { readonly threads?: number; readonly compression?: CompressionOptions } = {},
): Promise<BuildResult> {
  const bytes = readFileSync(tar);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const source = { tar, blob: { digest, size: bytes.length }, lower: [] };
  return buildImage({ source, target, ...options });
}

async function expectSound(image: string): Promise<void> {
  expect(complaintsOfSystemFsck(image)).toBe('');
  expect(fingerprintFsck()?.(image) ?? '').toBe('');
  await using opened = await ErofsImage.open(image);
  const findings = checkImage(opened);
  expect(await findings.next()).toMatchObject({ done: true });
}

/** The image shows what the layer is, as it is read into a spool. */
async function expectTree(image: string, tar: string): Promise<void> {
  using mounted = new MountedImage(image);
  using layer = await ReadLayer.of({ tar });
  // No entry counts for the root.
  const below = (lines: readonly string[]): string[] => lines.slice(1);
  expect(differences(below(observeDirectory(mounted.path)), below(layer.observation))).toEqual([]);
}

/** Text that compresses two to one. */
function digits(seed: string, length: number): Buffer {
  return Buffer.from(noise(seed, Math.ceil(length / 2)).toString('hex')).subarray(0, length);
}

/** Stretches of noise, text and zeros in turn. */
function mixture(seed: string, stretch: number): Buffer {
  const parts = [0, 1, 2, 3].flatMap((turn) => [
    digits(`${seed}${turn}`, stretch),
    noise(`${seed}${turn}`, stretch + 1),
    Buffer.alloc(stretch),
  ]);
  return Buffer.concat(parts);
}

/** A layer of files of all sizes, with holes among them, and of entries that replace one another. */
function makeTar(scratch: ScratchDirectory): string {
  scratch.shell(`mkdir source; cd source; truncate -s 9M sparse
    head -c 9000 /usr/bin/env | dd of=sparse bs=1 seek=5000000 conv=notrunc status=none
    tar -S --format=pax --mtime=@7 --owner=0 --group=0 -cf ../layer.tar sparse`);
  const sizes = [0, 1, 4095, 4096, 4097, 8191, 65_537, 1_048_577].map((size) =>
    member({ name: `text-${size}` }, digits('text', size)),
  );
  const large = noise('large', BATCH_SIZE + 5000);
  const entries = Buffer.concat([
    ...sizes,
    member({ name: 'replaced' }, large),
    member({ name: 'linked' }, mixture('linked', 100_000)),
    linkMember('kept', 'linked'),
    member({ name: 'linked' }, 'the other name keeps it'),
    member({ name: 'turned/inside' }, digits('turned', 900_000)),
    symlinkMember('turned', 'elsewhere'),
    member({ name: 'replaced' }, digits('replacing', 70_000)),
    member({ name: 'batches' }, Buffer.concat([large, mixture('batches', 500_000)])),
    END,
  ]);
  const tar = scratch.join('layer.tar');
  writeFileSync(scratch.join('more.tar'), entries);
  execFileSync('tar', ['-Af', tar, scratch.join('more.tar')]);
  return tar;
}

describe.each<[string, CompressionOptions | undefined]>([
  ['as it is', undefined],
  ['compressed', LZ4],
])('the image of a blob, %s,', (_how, compression) => {
  test('holds what the layer holds, and is the same whatever the number of threads', async () => {
    using scratch = new ScratchDirectory();
    const tar = makeTar(scratch);
    const options = compression === undefined ? {} : { compression };
    const image = scratch.join('1');
    const { tar: found, contentBytes } = await build(image, tar, { ...options, threads: 1 });
    expect(found?.bytes).toBe(statSync(tar).size);
    expect(contentBytes).toBeGreaterThan(3 * BATCH_SIZE);
    await expectSound(image);
    await expectTree(image, tar);
    for (const threads of [2, 5]) {
      await build(scratch.join('other'), tar, { ...options, threads });
      expect(readFileSync(scratch.join('other')).equals(readFileSync(image))).toBe(true);
    }
  });
});

test('what was replaced takes no room in the image of a blob, nor does anything beside it', async () => {
  using scratch = new ScratchDirectory();
  const content = noise('content', 5 * 2 ** 20);
  const again = (name: string): Buffer => member({ name }, content);
  writeFileSync(
    scratch.join('tar'),
    Buffer.concat([again('one'), again('two'), member({ name: 'two' }), END]),
  );
  mkdirSync(scratch.join('small'));
  mount('tmpfs', scratch.join('small'), 'tmpfs', 0, 'size=11m');
  try {
    const image = scratch.join('small/image');
    const { bytes } = await build(image, scratch.join('tar'));
    expect(bytes).toBeGreaterThan(10 * 2 ** 20);
    expect(statSync(image).blocks * 512).toBeLessThan(5.1 * 2 ** 20);
    // The judges make copies.
    copyFileSync(image, scratch.join('image'));
    await expectSound(scratch.join('image'));
  } finally {
    unmount(scratch.join('small'));
  }
});

test('rules are about the path that a file of a blob gets in the image', async () => {
  using scratch = new ScratchDirectory();
  const text = digits('text', 100_000);
  const names = ['./usr/lib/plain', 'lib/as-a-link-leads', '/usr/../lib/upwards', 'usr/bin/other'];
  const tar = Buffer.concat([
    symlinkMember('lib', 'usr/lib'),
    ...names.map((name) => member({ name }, text)),
    linkMember('usr/lib/second-name', 'usr/bin/other'),
    END,
  ]);
  writeFileSync(scratch.join('tar'), tar);
  const compression: CompressionOptions = { ...LZ4, rules: [{ pattern: '/usr/lib/*', settings: 'none' }] };
  const { files, compressedFiles } = await build(scratch.join('image'), scratch.join('tar'), { compression });
  expect({ files, compressedFiles }).toEqual({ files: 4, compressedFiles: 1 });
});
