import type { BuildProgress } from '../../../erofs/build';
import { startProgressBar, type ProgressBar } from '../../progress-bar';

const TITLES: Readonly<Record<BuildProgress['stage'], string>> = {
  reading: 'Reading the tar',
  writing: 'Writing the image',
};

/** A bar for each stage of a build, one after the other. */
export class BuildBar implements Disposable {
  #stage: BuildProgress['stage'] | undefined;
  #bar: ProgressBar | undefined;

  show({ stage, bytes, totalBytes }: BuildProgress): void {
    if (stage !== this.#stage) {
      this.#bar?.[Symbol.dispose]();
      this.#stage = stage;
      this.#bar = startProgressBar(TITLES[stage], 'bytes', totalBytes);
    }
    this.#bar?.update(bytes, totalBytes);
  }

  [Symbol.dispose](): void {
    this.#bar?.[Symbol.dispose]();
  }
}
