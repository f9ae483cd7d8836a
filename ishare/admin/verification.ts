import type { VerifiedImage, VerifyImagesRequest, VerifyImagesResponse } from '../../proto/admin-messages';
import type { ImageCheckResult } from '../worker/image-check-task';
import { checkImageFile } from '../worker/image-check-thread';
import { AdminError } from './admin-error';
import type { AdminContext } from './context';
import { checkedList } from './request-fields';
import { imageNamed } from './snapshot-choice';
import type { AdminSources, CommittedImage } from './sources';

const NOTHING_WRONG: ImageCheckResult = { problems: [], count: 0, damaged: false };

/** Checks image files against what was recorded when they were built, one at a time for all who ask. */
export class ImageVerification {
  readonly #context: AdminContext;
  #last: Promise<void> = Promise.resolve();

  constructor(context: AdminContext) {
    this.#context = context;
  }

  /** Marks images that are damaged, and takes the mark from those that are right. */
  async verify(
    request: VerifyImagesRequest,
    send: (response: VerifyImagesResponse) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const images = chosenImages(this.#context.sources, request);
    for (const [index, image] of images.entries()) {
      const place = { name: image.name, images_done: index, images: images.length };
      let keepsUp = send({ progress: { ...place, bytes_done: 0, bytes: 0 } });
      const onProgress = ({ done, total }: { readonly done: number; readonly total: number }): void => {
        if (keepsUp) keepsUp = send({ progress: { ...place, bytes_done: done, bytes: total } });
      };
      send({ result: await this.#inTurn(() => this.#check(image, onProgress, signal)) });
    }
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    // Whoever asked is told of a failure; it does not keep others from their turn.
    this.#last = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  async #check(
    image: CommittedImage,
    onProgress: Parameters<typeof checkImageFile>[1],
    signal: AbortSignal,
  ): Promise<VerifiedImage> {
    const { name, path, digests, trust, merged } = image;
    const believed = trust === 'computed' || trust === 'verified';
    const own = await this.#checkFile({ path, digests, believed }, onProgress, signal);
    const above =
      merged === undefined
        ? NOTHING_WRONG
        : await this.#checkFile({ ...merged, believed: true }, onProgress, signal);
    const count = own.count + above.count;
    return {
      name,
      outcome: own.damaged || above.damaged ? 'damaged' : count === 0 ? 'sound' : 'doubtful',
      problems: [...own.problems, ...above.problems.map((problem) => `merged metadata: ${problem}`)],
      problem_count: count,
      method: digests === undefined ? 'content' : 'digests',
    };
  }

  async #checkFile(
    ...[file, onProgress, signal]: Parameters<typeof checkImageFile>
  ): Promise<ImageCheckResult> {
    const check = await checkImageFile(file, onProgress, signal);
    const { sources } = this.#context;
    if (check.damaged) sources.noteDamage(file.path, check.problems[0] ?? 'it is damaged');
    else if (check.count === 0) sources.noteSound(file.path);
    return check;
  }
}

function chosenImages(sources: AdminSources, { names, all }: VerifyImagesRequest): readonly CommittedImage[] {
  if (all === names.length > 0) {
    throw new AdminError('INVALID_ARGUMENT', 'say which images are to be verified: their names, or all');
  }
  if (all) return sources.images();
  return checkedList(names).map((name) => {
    const [image] = imageNamed(sources, name).layers;
    if (image === undefined) throw new Error(`the committed snapshot ${name} has no image`);
    return image;
  });
}
