import { EngineClient } from '../worker/engine-client';
import type { LayerAttachment, MergedLayers } from '../layer-server';

/**
 * A process with an engine, to be killed. Arguments: the images directory, the takeover directory and the layers, merged
 * ones last, as JSON. Prints a line of JSON once it serves, and at each SIGUSR2 one with the number of open files. SIGTERM: leaves the
 * mounts; SIGINT: ends them.
 */
async function serve(
  imagesDirectory: string,
  takeoverDirectory: string,
  layers: (LayerAttachment | MergedLayers)[],
): Promise<void> {
  const engine = await EngineClient.start(
    {
      imagesDirectory,
      takeoverDirectory,
      program: 'test',
      passthrough: true,
      readAheadKib: 128,
      metadataCacheBytes: 1 << 20,
      realtime: false,
    },
    {
      log: (level, message, details) => console.error(level, message, JSON.stringify(details)),
      onLost: (error) => console.error('lost', error),
      onDamage: (image, problem) => console.error('damage', image, problem),
    },
  );
  const roots: string[] = [];
  for (const layer of layers)
    roots.push(await ('layers' in layer ? engine.attachMerged(layer) : engine.attach(layer)));
  await engine.resume();
  const { takenOver } = engine.started;
  process.on('SIGUSR2', () => void engine.state().then(({ openFiles }) => console.log(String(openFiles))));
  process.on('SIGTERM', () => void engine.leave().then(() => process.exit(0)));
  process.on('SIGINT', () => void engine[Symbol.asyncDispose]().then(() => process.exit(0)));
  // Last: who reads it may send signals at once.
  console.log(JSON.stringify({ takenOver, roots }));
  // The engine's thread keeps the process alive no longer than it has to; this does until a signal comes.
  setInterval(() => undefined, 1 << 30);
}

const [imagesDirectory = '', takeoverDirectory = '', layers = '[]'] = process.argv.slice(2);
const parsed = (JSON.parse(layers) as (LayerAttachment | MergedLayers)[]).map((layer) => ({
  ...layer,
  domain: layer.domain && { ...layer.domain, secret: Buffer.alloc(32, layer.domain.id) },
}));
void serve(imagesDirectory, takeoverDirectory, parsed);
