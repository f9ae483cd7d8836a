import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Domain, LayerAttachment } from '../../ishare/layer-server';
import { NO_DOMAIN_TOKEN } from '../../ishare/top-directories';
import type { BenchImage } from '../images/bench-image';
import type { Encoding } from '../images/image-store';
import type { MountedImages, MountSubject, SubjectPlace } from './mount-subject';
import { ServedImages } from './served-images';

/** What crosses to engine-server.ts as JSON. */
type SentLayer = Omit<LayerAttachment, 'domain'> & {
  readonly domain: Omit<Domain, 'secret'> | undefined;
};

const DOMAIN = { id: 1, name: 'bench', token: 'bench' };

/** Inode numbers of an attachment: more than an image has. */
const INODE_NUMBERS = 2 ** 32;

export interface IshareOptions {
  /** Of each image; the last one counts for those after it too. */
  readonly encodings: readonly [Encoding, ...Encoding[]];
  /** False: no domain, so nothing is shared. */
  readonly shared: boolean;
}

/** This project's engine, in a process of its own, with the settings that the daemon has by default. */
export class IshareSubject implements MountSubject {
  readonly name: string;

  constructor(
    private readonly place: SubjectPlace,
    private readonly options: IshareOptions,
  ) {
    const [first, second = first] = options.encodings;
    const parts = [
      'ishare',
      ...(first === second ? (first === 'plain' ? [] : [first]) : [`${first} and ${second}`]),
      ...(options.shared ? [] : ['no domain']),
    ];
    this.name = parts.join(', ');
  }

  unavailable(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  versions(): Promise<Readonly<Record<string, string>>> {
    return Promise.resolve({});
  }

  async prepare(images: readonly BenchImage[]): Promise<void> {
    for (const [index, image] of images.entries()) await this.#file(image, index);
  }

  #file(image: BenchImage, index: number): Promise<string> {
    const { encodings } = this.options;
    return this.place.store.erofs(image, encodings[Math.min(index, encodings.length - 1)] ?? encodings[0]);
  }

  async mount(images: readonly BenchImage[], directory: string): Promise<MountedImages> {
    const mountedAt = join(directory, 'images');
    await mkdir(mountedAt);
    const domain = this.options.shared ? DOMAIN : undefined;
    const layers: SentLayer[] = [];
    for (const [index, image] of images.entries()) {
      layers.push({
        attachmentId: index + 1,
        imagePath: await this.#file(image, index),
        label: image.name,
        domain,
        trust: 'computed',
        verified: [],
        digests: undefined,
        nodeRange: index + 1,
        inoBase: index * INODE_NUMBERS,
        inoCount: INODE_NUMBERS,
      });
    }
    const roots = layers.map(({ attachmentId }) =>
      join(mountedAt, domain?.token ?? NO_DOMAIN_TOKEN, String(attachmentId)),
    );
    const server = {
      program: process.execPath,
      words: [join(__dirname, 'engine-server.js'), mountedAt, directory, JSON.stringify(layers)],
      // As bin/ starts the daemon.
      environment: { UV_THREADPOOL_SIZE: '16' },
      targets: [mountedAt],
      announces: 'serving',
    };
    return ServedImages.start([server], roots, join(directory, 'log'));
  }
}
