import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Domain, LayerAttachment } from '../../ishare/layer-server';
import { NO_DOMAIN_TOKEN } from '../../ishare/top-directories';
import { ServedImages } from './served-images';

/** What crosses to engine-server.ts as JSON. */
type SentLayer = Omit<LayerAttachment, 'domain'> & { readonly domain: Omit<Domain, 'secret'> | undefined };

const DOMAIN = { id: 1, name: 'bench', token: 'bench' };

/** Inode numbers of an attachment: more than an image has. */
const INODE_NUMBERS = 2 ** 32;

/** Serves image files with an engine in a process of its own, in one domain or in none. */
export async function serveWithEngine(
  files: readonly string[],
  directory: string,
  shared: boolean,
): Promise<ServedImages> {
  const mountedAt = join(directory, 'images');
  await mkdir(mountedAt);
  const domain = shared ? DOMAIN : undefined;
  const layers = files.map((imagePath, index): SentLayer => ({
    attachmentId: index + 1,
    imagePath,
    label: basename(imagePath),
    domain,
    trust: 'computed',
    verified: [],
    digests: undefined,
    nodeRange: index + 1,
    inoBase: index * INODE_NUMBERS,
    inoCount: INODE_NUMBERS,
  }));
  const layersFile = join(directory, 'layers.json');
  await writeFile(layersFile, JSON.stringify(layers));
  const roots = layers.map(({ attachmentId }) =>
    join(mountedAt, domain?.token ?? NO_DOMAIN_TOKEN, String(attachmentId)),
  );
  const server = {
    program: process.execPath,
    words: [join(__dirname, 'engine-server.js'), mountedAt, directory, layersFile],
    // As bin/ starts the daemon.
    environment: { UV_THREADPOOL_SIZE: '16' },
    targets: [mountedAt],
    announces: 'serving',
  };
  return ServedImages.start([server], roots, join(directory, 'log'));
}
