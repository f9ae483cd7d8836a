import { readLayers, type LayerSource, type OpenImage } from './layer-source';
import { file, layer } from './testing/layers';

/** Layers by identity and content, each of which notes when it is read. */
function imagesOf(...images: readonly (readonly [identity: string, content: string][])[]): {
  readonly images: readonly OpenImage[];
  readonly read: string[];
} {
  const read: string[] = [];
  const source = ([identity, content]: readonly [string, string]): LayerSource => ({
    identity,
    content,
    bytes: 10,
    read: (onRead) => {
      read.push(content);
      onRead(4);
      onRead(6);
      return Promise.resolve(layer({ [content]: file(content) }));
    },
  });
  const opened = images.map((layers, index): OpenImage => ({
    label: `image ${index}`,
    layers: layers.map(source),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }));
  return { images: opened, read };
}

test('layers come in the order of their images, and one that is the same on the host is the same object', async () => {
  const { images } = imagesOf(
    [
      ['1', 'base'],
      ['1 2', 'a'],
    ],
    [
      ['1', 'base'],
      ['1 3', 'b'],
    ],
  );
  const [first, second] = await readLayers(images, () => undefined);
  expect(first?.image).toBe(images[0]);
  expect(first?.layers[0]).toBe(second?.layers[0]);
  expect(second?.layers.map(({ root }) => [...root.entries.keys()])).toEqual([['base'], ['b']]);
});

test('the same content above other layers is read once, and stays two layers', async () => {
  const { images, read } = imagesOf(
    [
      ['1', 'base'],
      ['1 2', 'same'],
    ],
    [['2', 'same']],
  );
  const progress: [number, number][] = [];
  const [first, second] = await readLayers(images, (done, total) => progress.push([done, total]));
  expect(read).toEqual(['base', 'same']);
  expect(first?.layers[1]).not.toBe(second?.layers[0]);
  expect(first?.layers[1]?.root).toBe(second?.layers[0]?.root);
  expect(progress).toEqual([
    [4, 20],
    [10, 20],
    [14, 20],
    [20, 20],
  ]);
});
