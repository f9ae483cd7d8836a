import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fingerprintDigest } from '../../erofs/fingerprint-digest';
import { SUPERBLOCK_OFFSET, superblockRecord } from '../../erofs/format/superblock';
import { ErofsImage } from '../../erofs/image';
import { superblockChecksum } from '../../erofs/superblock';
import type { WrittenImage } from '../../scripts/oci/oci-archive';
import { TemporaryDirectory } from '../erofs/temporary-directory';
import { makeDemandingImage } from '../harness/demanding-image';
import { estimateCommand, printedEstimate, type PrintedEstimate } from '../harness/estimate-command';
import { makeNeighbours, type NeighbourImage } from '../harness/images';
import { imageCommand } from '../harness/image-command';
import { mergedLayers } from '../harness/layer-merge';

const PAGE = 4096;
const fixture = (name: string): string => resolve('test/fixtures/erofs', name);

let scratch: TemporaryDirectory;
let images: readonly [NeighbourImage, NeighbourImage];
let a: string;
let b: string;

beforeAll(async () => {
  scratch = new TemporaryDirectory();
  images = await makeNeighbours(scratch.path);
  [a, b] = images.map(({ archive }) => archive) as [string, string];
});

afterAll(() => {
  scratch[Symbol.dispose]();
});

function pages(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + Math.ceil(size / PAGE) * PAGE, 0);
}

describe('two archives', () => {
  test('are estimated for people', async () => {
    const { exitCode, stdout, stderr } = await estimateCommand(['--top', '1', a, b]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^A +\S+neighbour-a\.tar \(harness\.local\/neighbour:a, linux\/\w+\) +2 +\d+ /m);
    expect(stdout).toMatch(/^Page cache of all files: \S+ MiB, in one domain \S+ MiB\.$/m);
    expect(stdout).toMatch(
      /^Sharing saves \S+ MiB \(\d+\.\d %\): \d+ contents, \d+ of them in several files\.$/m,
    );
    expect(stdout).toMatch(
      /^ *2\.0 MiB +2 +A \/data\/shared-2097152\n +B \/other\/place\/copy-of-2097152\n$/m,
    );
  });

  test('are estimated for programs', async () => {
    const estimate = await printedEstimate(a, b);
    const [first] = images;
    const common = first.shared.map(({ content }) => content.length);
    expect(estimate.images).toMatchObject([
      { image: a, name: first.reference, layers: 2 },
      { image: b, name: images[1].reference, layers: 2 },
    ]);
    expect(estimate.page_cache_saved).toBeGreaterThan(pages(common));
    expect(estimate.page_cache_alone - estimate.page_cache_shared).toBe(estimate.page_cache_saved);
    expect(estimate.top).toHaveLength(10);
    expect(estimate.top[0]).toMatchObject({
      size: 2 << 20,
      page_cache_saved: 2 << 20,
      copies: [
        [{ image: 0, path: '/data/shared-2097152' }],
        [{ image: 1, path: '/other/place/copy-of-2097152' }],
      ],
    });
    const [inA, inB] = estimate.images.map((image) => image.page_cache);
    expect(inA! + inB!).toBe(estimate.page_cache_alone);
  });

  test('that are one save nothing, for all layers are common', async () => {
    const estimate = await printedEstimate(a, a);
    expect(estimate).toMatchObject({ page_cache_saved: 0, common_layers: 2, repeated_contents: 0 });
    expect(estimate.page_cache_of_common_layers).toBe(estimate.page_cache_alone);
  });

  test('may be three', async () => {
    const [two, three] = [await printedEstimate(a, b), await printedEstimate(b, a, b)];
    expect(three.images).toHaveLength(3);
    expect(three.page_cache_alone).toBe(two.page_cache_alone);
  });
});

test('what counts are the files of the merged tree, as GNU tar and the rules of OCI make it', async () => {
  using own = new TemporaryDirectory();
  const image: WrittenImage = await makeDemandingImage(own.path);
  const entries = [...(await mergedLayers(image, own.path)).values()];
  const files = entries.filter(
    ({ type, size, linkedWith }) => type === 'file' && size !== '0' && linkedWith === undefined,
  );
  const estimate = await printedEstimate(image.archive);
  expect(estimate.images[0]).toMatchObject({
    layers: 4,
    files: files.length,
    page_cache: pages(files.map(({ size }) => Number(size))),
  });
  const contents = new Map(files.map(({ content, size }) => [content, Number(size)]));
  expect(estimate).toMatchObject({
    contents: contents.size,
    page_cache_shared: pages([...contents.values()]),
  });
});

describe('the same image', () => {
  let expected: unknown;

  beforeAll(async () => {
    expected = withoutLabels(await printedEstimate(a, b));
  });

  function withoutLabels(estimate: PrintedEstimate): unknown {
    return { ...estimate, images: estimate.images.map((image) => ({ ...image, image: '' })) };
  }

  test('is read from a directory', async () => {
    mkdirSync(scratch.join('layout'));
    execFileSync('tar', ['-xf', a, '-C', scratch.join('layout')], { timeout: 20_000 });
    expect(withoutLabels(await printedEstimate(scratch.join('layout'), b))).toEqual(expected);
  });

  test.each(['gzip', 'zstd'])('is read from an archive in %s', async (program) => {
    const packed = scratch.join(`packed-${program}`);
    writeFileSync(packed, execFileSync(program, ['-1', '-c', a], { maxBuffer: 64 << 20, timeout: 20_000 }));
    expect(withoutLabels(await printedEstimate(packed, b))).toEqual(expected);
  });

  test('is read from standard input', async () => {
    const { stdout, stderr } = await estimateCommand(['--json', '-', b], a);
    expect(stderr).toBe('');
    expect(withoutLabels(JSON.parse(stdout) as PrintedEstimate)).toEqual(expected);
  });
});

describe('of EROFS images', () => {
  test('contents are compared whatever their compression, and what would not be shared is noted', async () => {
    const { exitCode, stdout } = await estimateCommand([fixture('plain-fp.erofs'), fixture('zstd.erofs')]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Sharing saves');
    expect(stdout).toContain('Note: 5 of the 5 files of B have no fingerprint.');
    const estimate = await printedEstimate(fixture('plain-fp.erofs'), fixture('zstd.erofs'));
    expect(estimate.page_cache_shared * 2).toBeLessThanOrEqual(estimate.page_cache_alone);
    expect(estimate.images).toMatchObject([
      { fingerprints_missing: 0, fingerprints_wrong: 0 },
      { fingerprints_missing: 5, fingerprints_wrong: 0 },
    ]);
  });

  test('copies of one file are one layer, and images with the same files are two', async () => {
    copyFileSync(fixture('plain-fp.erofs'), scratch.join('copy.erofs'));
    const copies = await printedEstimate(fixture('plain-fp.erofs'), scratch.join('copy.erofs'));
    const one = await printedEstimate(fixture('plain-fp.erofs'));
    expect(copies).toMatchObject({ common_layers: 1, page_cache_alone: one.page_cache_alone });
    const built = await printedEstimate(fixture('plain-fp.erofs'), fixture('lz4hc-fp.erofs'));
    expect(built).toMatchObject({ common_layers: 0 });
    expect(built.page_cache_alone).toBe(2 * one.page_cache_alone);
    expect(built.page_cache_shared).toBe(one.page_cache_shared);
  });

  test('fingerprints are checked, unless they are trusted', async () => {
    const forged = scratch.join('forged.erofs');
    writeFileSync(forged, await withForgedFingerprint(fixture('plain-fp.erofs')));
    const computed = await estimateCommand([forged, fixture('plain-fp.erofs')]);
    expect(computed.stdout).toContain('Note: 1 of the 5 files of A have a wrong fingerprint.');
    const [honest, trusting] = [
      await printedEstimate(forged, fixture('plain-fp.erofs')),
      await printedEstimate('--trust-fingerprints', forged, fixture('plain-fp.erofs')),
    ];
    expect(honest.images[0]).toMatchObject({ fingerprints_wrong: 1 });
    expect(trusting.contents).toBe(honest.contents + 1);
  });

  test('one can be compared with an archive that has the same layer', async () => {
    const image = scratch.join('top-layer.erofs');
    const layer = scratch.join('top-layer.tar');
    const [{ layers }] = images;
    const blob = `blobs/${layers[1]!.digest.replace(':', '/')}`;
    writeFileSync(layer, execFileSync('tar', ['-xOf', a, blob], { maxBuffer: 64 << 20, timeout: 20_000 }));
    expect((await imageCommand('build', layer, image)).exitCode).toBe(0);
    const estimate = await printedEstimate(image, a);
    expect(estimate.images[0]).toMatchObject({ layers: 1, fingerprints_missing: 0 });
    expect(estimate.page_cache_saved).toBe(estimate.images[0]!.page_cache);
  });
});

/** The image with one bit of one digest changed, and a checksum that does not tell. */
async function withForgedFingerprint(path: string): Promise<Buffer> {
  const bytes = readFileSync(path);
  await using image = await ErofsImage.open(path);
  for await (const inode of image.files()) {
    const value = await image.fingerprint(inode);
    const digest = value && fingerprintDigest(value);
    if (digest === undefined) continue;
    const at = bytes.indexOf(digest);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    const { checksum } = superblockRecord.fields;
    checksum.write(bytes, SUPERBLOCK_OFFSET, superblockChecksum(bytes, PAGE));
    return bytes;
  }
  throw new Error(`${path} has no fingerprint`);
}

describe('an archive of several images', () => {
  test('wants to be told which, by #NAME; a path may have the sign in it', async () => {
    const several = scratch.join('several#1.tar');
    const both = scratch.join('both');
    mkdirSync(both);
    const manifests = [a, b].flatMap((archive) => {
      execFileSync('tar', ['-xf', archive, '-C', both], { timeout: 20_000 });
      const index = JSON.parse(readFileSync(`${both}/index.json`, 'utf8')) as { manifests: unknown[] };
      return index.manifests;
    });
    writeFileSync(`${both}/index.json`, JSON.stringify({ schemaVersion: 2, manifests }));
    execFileSync('tar', ['-cf', several, '-C', both, '.'], { timeout: 20_000 });
    const { exitCode, stderr } = await estimateCommand([several]);
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      `ishare: estimate: ${several}: holds several images; choose one with ${several}#NAME: ${images[0].reference}, ${images[1].reference}\n`,
    );
    const chosen = await printedEstimate(...images.map(({ reference }) => `${several}#${reference}`));
    expect(chosen.page_cache_shared).toBe((await printedEstimate(a, b)).page_cache_shared);
  });
});

describe('trouble is told on one line, with exit code 1', () => {
  async function complaint(...words: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await estimateCommand(words);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr.match(/\n/g)).toHaveLength(1);
    return stderr.replace(/^ishare: estimate: /, '');
  }

  test('a file that is not there', async () => {
    expect(await complaint(a, '/nowhere')).toBe('/nowhere: no such file or directory\n');
  });

  test('a file that is something else, an empty one, a directory', async () => {
    const empty = scratch.join('empty');
    writeFileSync(empty, '');
    for (const path of [resolve('package.json'), empty]) {
      expect(await complaint(path)).toBe(`${path}: is neither an EROFS image nor an archive of images\n`);
    }
    mkdirSync(scratch.join('no-layout'));
    for (const path of [scratch.join('no-layout'), fixture('src.tar')]) {
      expect(await complaint(path)).toBe(
        `${path}: holds no image: it has neither index.json nor manifest.json\n`,
      );
    }
  });

  test('a compression that is not known', async () => {
    const packed = scratch.join('packed.xz');
    writeFileSync(packed, Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, ...Buffer.alloc(600)]));
    expect(await complaint(packed)).toBe(
      `${packed}, byte 0: compressed with xz; gzip and zstd are known here\n`,
    );
  });

  test('an archive that is cut short, compressed or not', async () => {
    const cut = scratch.join('cut.tar');
    writeFileSync(cut, readFileSync(a).subarray(0, 3_000_000));
    expect(await complaint(cut, b)).toMatch(/cut\.tar, \S+ at byte \d+: the stream ends at byte 3000000/);
    writeFileSync(cut, execFileSync('gzip', ['-1', '-c', a], { maxBuffer: 64 << 20 }).subarray(0, 3_000_000));
    expect(await complaint(cut, b)).toMatch(/cut\.tar, byte \d+: gzip: /);
  });

  test('a blob that is not what its digest says', async () => {
    const damaged = scratch.join('damaged.tar');
    const bytes = readFileSync(a);
    bytes.writeUInt8(bytes.readUInt8(5_000_000) ^ 1, 5_000_000);
    writeFileSync(damaged, bytes);
    expect(await complaint(damaged, b)).toMatch(
      /damaged\.tar, blobs\/sha256\/[0-9a-f]{64}: the content has the digest sha256:[0-9a-f]{64}\n$/,
    );
  });

  test('an image for another platform', async () => {
    expect(await complaint('--platform', 'linux/s390x', a)).toMatch(
      /: holds no image for linux\/s390x, but for linux\/\w+\n$/,
    );
  });

  test('a damaged EROFS image, and names where there are none', async () => {
    const cut = scratch.join('cut.erofs');
    writeFileSync(cut, readFileSync(fixture('plain-fp.erofs')).subarray(0, 2000));
    expect(await complaint(cut)).toMatch(/cut\.erofs, /);
    const named = `${fixture('plain-fp.erofs')}#name`;
    expect(await complaint(named)).toMatch(/an EROFS image is one image, and holds none named name\n$/);
  });
});

test.each([
  [[]],
  [['-', '-#name']],
  [['--platform', 'linux', 'x']],
  [['--top', 'many', 'x']],
  [['--what', 'x']],
])('wrong words have the exit code 2: %j', async (words) => {
  const { exitCode, stdout, stderr } = await estimateCommand(words);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).not.toBe('');
});
