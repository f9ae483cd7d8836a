import type { BenchImage } from '../images/bench-image';
import type { Encoding } from '../images/image-store';
import type { MountedImages, MountSubject, SubjectPlace } from './mount-subject';
import { serveWithEngine } from './served-engine';

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
    const files: string[] = [];
    for (const [index, image] of images.entries()) files.push(await this.#file(image, index));
    return serveWithEngine(files, directory, this.options.shared);
  }
}
