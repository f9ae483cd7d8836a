import { readFileSync } from 'node:fs';
import { EngineClient } from '../../ishare/worker/engine-client';
import type { LayerAttachment } from '../../ishare/layer-server';
import { configSchema } from '../../config/schema';

/**
 * Serves images with the engine of the daemon and its default settings, until SIGTERM. Arguments: the images directory,
 * the takeover directory, and a file with the layers as JSON. Prints `serving` once everything is attached.
 */
async function serve(
  imagesDirectory: string,
  takeoverDirectory: string,
  layers: readonly LayerAttachment[],
): Promise<void> {
  const { fuse } = configSchema.parse({});
  const engine = await EngineClient.start(
    {
      imagesDirectory,
      takeoverDirectory,
      program: 'bench',
      passthrough: fuse.passthrough,
      readAheadKib: fuse.read_ahead_kib,
      metadataCacheBytes: fuse.metadata_cache_mib << 20,
      realtime: fuse.realtime,
    },
    {
      log: (level, message, details) => console.log(level, message, JSON.stringify(details)),
      onLost: (error) => console.log('lost', error),
      onDamage: (image, problem) => console.log('damage', image, problem),
    },
  );
  const keepAlive = setInterval(() => undefined, 1 << 30);
  process.on('SIGTERM', () => {
    clearInterval(keepAlive);
    void engine[Symbol.asyncDispose]();
  });
  for (const layer of layers) await engine.attach(layer);
  // Resolves when every reference has been taken: what is measured then is not the scan.
  await engine.attachedImages();
  console.log('serving');
}

const [imagesDirectory = '', takeoverDirectory = '', layersFile = ''] = process.argv.slice(2);
const parsed = (JSON.parse(readFileSync(layersFile, 'utf8')) as LayerAttachment[]).map((layer) => ({
  ...layer,
  // JSON has no buffers, and the engine has no use for the secret.
  domain: layer.domain && { ...layer.domain, secret: Buffer.alloc(32) },
}));
serve(imagesDirectory, takeoverDirectory, parsed).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
