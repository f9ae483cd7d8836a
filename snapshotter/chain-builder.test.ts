import { BuildWorkerCrashedError } from '../erofs/build-worker';
import { ChainBuilder } from './chain-builder';
import type { BuiltImage, LayerImageBuilder } from './image-building';

const request = {} as Parameters<LayerImageBuilder['build']>[0];

function builder(bytes: number, resting: boolean, failure?: Error): LayerImageBuilder {
  const image: BuiltImage = { bytes, inodes: 1, nidLimit: 1 };
  return { resting, build: () => (failure === undefined ? Promise.resolve(image) : Promise.reject(failure)) };
}

async function builtBy(forLayers: LayerImageBuilder): Promise<string> {
  const { bytes } = await new ChainBuilder(forLayers, builder(2, false)).build(request);
  return bytes === 1 ? 'that of layers' : 'its own';
}

test('a chain is built on a thread for layers that rests, else on its own', async () => {
  expect(await builtBy(builder(1, true))).toBe('that of layers');
  expect(await builtBy(builder(1, false))).toBe('its own');
});

test('where the heap of the thread for layers was too small, the chain is built on its own', async () => {
  expect(await builtBy(builder(1, true, new BuildWorkerCrashedError('x')))).toBe('its own');
});

test('any other failure is one', async () => {
  await expect(builtBy(builder(1, true, new Error('disk full')))).rejects.toThrow('disk full');
});
