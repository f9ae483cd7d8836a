import fc from 'fast-check';
import type { Layer, LayerFile, LayerNode } from './layer-files';
import { estimateSharing, savedPercent, type LayeredImage, type SharingEstimate } from './sharing-estimate';
import { directory, file, layer, sized, whiteout } from './testing/layers';

const PAGE = 4096;

function imageOf(...layers: readonly Layer[]): LayeredImage {
  return { layers };
}

test('files are counted in whole pages, alone and shared', () => {
  const a = imageOf(layer({ same: sized(PAGE + 1, 'same'), own: sized(1, 'a') }));
  const b = imageOf(layer({ copy: sized(PAGE + 1, 'same'), own: sized(PAGE, 'b') }));
  expect(estimateSharing([a, b])).toMatchObject({
    images: [
      { files: 2, pageCache: 3 * PAGE, inOthers: { files: 1, pageCache: 2 * PAGE } },
      { files: 2, pageCache: 3 * PAGE, inOthers: { files: 1, pageCache: 2 * PAGE } },
    ],
    alone: { files: 4, pageCache: 6 * PAGE },
    shared: { files: 3, pageCache: 4 * PAGE },
    commonLayers: { layers: 0, files: 0, pageCache: 0 },
  });
});

test('a layer that two images have counts once either way, and saves nothing', () => {
  const base = layer({ libc: sized(10 * PAGE, 'libc'), hidden: sized(PAGE, 'hidden') });
  const a = imageOf(base, layer({ hidden: whiteout }));
  const b = imageOf(base, layer({ mine: file('mine') }));
  expect(estimateSharing([a, b])).toMatchObject({
    alone: { files: 3, pageCache: 12 * PAGE },
    shared: { files: 3, pageCache: 12 * PAGE },
    commonLayers: { layers: 1, files: 2, pageCache: 11 * PAGE },
    repeated: [],
  });
});

test('the same files in layers that are two on the host are shared', () => {
  const files = { libc: sized(10 * PAGE, 'libc') };
  const read = layer(files);
  const again: Layer = { ...read };
  const [a, b] = [imageOf(layer({}), read), imageOf(again)];
  const { alone, shared, repeated } = estimateSharing([a, b]);
  expect([alone.pageCache, shared.pageCache]).toEqual([20 * PAGE, 10 * PAGE]);
  expect(repeated).toMatchObject([{ saved: 10 * PAGE, copies: [{}, {}] }]);
});

test('hard links are one file, copies within one image are shared, and what no image shows counts nothing', () => {
  const linked = sized(PAGE, 'linked');
  const image = imageOf(
    layer({ gone: sized(PAGE, 'gone'), one: linked, two: linked }),
    layer({ gone: whiteout, copy: sized(PAGE, 'linked') }),
  );
  const { alone, shared, repeated, images } = estimateSharing([image]);
  expect([alone.files, shared.files]).toEqual([2, 1]);
  expect(repeated[0]?.copies.map(({ paths }) => [...paths])).toEqual([[[0, '/copy']], [[0, '/one']]]);
  expect(images[0]?.inOthers.files).toBe(0);
});

test('contents of different size are never the same', () => {
  const [a, b] = [sized(1, 'claimed'), sized(2, 'claimed')];
  expect(estimateSharing([imageOf(layer({ a })), imageOf(layer({ b }))]).shared.files).toBe(2);
});

test('what saves most comes first', () => {
  const a = imageOf(layer({ small: sized(1, 's'), large: sized(9 * PAGE, 'l'), other: sized(1, 'o') }));
  const b = imageOf(layer({ s: sized(1, 's'), l: sized(9 * PAGE, 'l'), s2: sized(1, 's') }));
  const { repeated } = estimateSharing([a, b]);
  expect(repeated.map(({ saved }) => saved / PAGE)).toEqual([9, 2]);
});

test('no images, and images without files, share nothing', () => {
  expect(savedPercent(estimateSharing([]))).toBe(0);
  expect(savedPercent(estimateSharing([imageOf(layer({}))]))).toBe(0);
});

describe('of random images', () => {
  const files = fc.tuple(fc.integer({ min: 1, max: 3 * PAGE }), fc.constantFrom('x', 'y', 'z'));
  const node: fc.Arbitrary<LayerNode> = fc.oneof(
    files.map(([size, content]): LayerFile => sized(size % 2 === 0 ? PAGE : size, content)),
    fc.constant(whiteout),
  );
  const entries = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), node, { maxKeys: 4 });
  const layers = fc
    .tuple(entries, entries, fc.boolean())
    .map(([top, below, opaque]) => layer({ ...top, dir: directory(below, opaque) }));
  /** Images that draw from the same few layers. */
  const images = fc
    .array(layers, { minLength: 1, maxLength: 4 })
    .chain((pool) =>
      fc.array(fc.uniqueArray(fc.constantFrom(...pool), { maxLength: 3 }), { minLength: 1, maxLength: 3 }),
    )
    .map((drawn) => drawn.map((each) => imageOf(...each)));

  function sums({ alone, shared, commonLayers, repeated }: SharingEstimate): unknown {
    return {
      alone,
      shared,
      commonLayers,
      saved: repeated.map(({ digest, size, saved }) => [digest, size, saved]),
    };
  }

  test('the order does not matter', () => {
    fc.assert(
      fc.property(images, (drawn) => {
        expect(sums(estimateSharing([...drawn].reverse()))).toEqual(sums(estimateSharing(drawn)));
      }),
    );
  });

  test('the same image once more changes nothing, for all of its layers are common', () => {
    fc.assert(
      fc.property(images, ([first = imageOf()]) => {
        const [once, twice] = [estimateSharing([first]), estimateSharing([first, first])];
        expect(twice).toMatchObject({ alone: once.alone, shared: once.shared });
        expect(twice.images[1]?.inOthers).toEqual({
          files: once.alone.files,
          pageCache: once.alone.pageCache,
        });
      }),
    );
  });

  test('an image with layers of its own and the same files adds nothing to what is shared', () => {
    fc.assert(
      fc.property(images, ([first = imageOf()]) => {
        const copy = imageOf(...first.layers.map((each) => ({ ...each })));
        const [once, both] = [estimateSharing([first]), estimateSharing([first, copy])];
        expect(both.shared).toEqual(once.shared);
        expect(both.alone.pageCache).toBe(2 * once.alone.pageCache);
      }),
    );
  });

  test('what is saved is the sum over repeated contents, and never below zero', () => {
    fc.assert(
      fc.property(images, (drawn) => {
        const { alone, shared, repeated } = estimateSharing(drawn);
        expect(alone.pageCache - shared.pageCache).toBe(repeated.reduce((sum, { saved }) => sum + saved, 0));
        expect(repeated.every(({ saved }) => saved > 0)).toBe(true);
      }),
    );
  });

  test('one more image makes no sum smaller', () => {
    fc.assert(
      fc.property(images, (drawn) => {
        const [fewer, more] = [estimateSharing(drawn.slice(1)), estimateSharing(drawn)];
        expect(more.alone.pageCache).toBeGreaterThanOrEqual(fewer.alone.pageCache);
        expect(more.shared.pageCache).toBeGreaterThanOrEqual(fewer.shared.pageCache);
      }),
    );
  });
});
