import type { EncoderSettings } from './compression-options';
import { startCrew, type ContentCrew } from './content-crew';
import { BATCH_SIZE, type ContentResult, type ContentTask } from './content-task';

/** Content below this is done with sooner than threads have started (bytes). */
const CONTENT_FOR_THREADS = 2 * BATCH_SIZE;

/**
 * A crew for content of which nobody knows yet how much it will be: tasks are done on the calling thread until enough is
 * expected for threads to pay, and by threads from then on.
 */
export class GrowingCrew implements ContentCrew {
  #crew: ContentCrew | undefined;
  #expected = 0;
  #grown = false;

  /** @param threads how many there may be; 1: the calling one. */
  constructor(
    private readonly threads: number,
    private readonly settings: readonly EncoderSettings[],
  ) {}

  get size(): number {
    return this.#crew?.size ?? 0;
  }

  /**
   * So many more bytes will come. Not to be called between the tasks of one file.
   * @param hashing threads that keep up with whoever gives the content, where it is only hashed.
   */
  async expect(bytes: number, hashing = this.threads): Promise<void> {
    this.#expected += bytes;
    if (this.#grown || this.#expected < CONTENT_FOR_THREADS) return;
    this.#grown = true;
    const alone = this.#crew;
    // What was done on this thread is done.
    const useful = this.settings.length > 0 ? this.threads : Math.min(this.threads, hashing);
    this.#crew = startCrew(this.threads === 1 ? 0 : useful, this.settings);
    await alone?.[Symbol.asyncDispose]();
  }

  run(task: ContentTask, thread?: number): Promise<ContentResult> {
    this.#crew ??= startCrew(0, this.settings);
    return this.#crew.run(task, thread);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#crew?.[Symbol.asyncDispose]();
  }
}
