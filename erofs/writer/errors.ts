/** Base of what goes wrong with the source of an image, not with the machine: `code` tells the kinds apart. */
export abstract class ImageBuildError extends Error {
  abstract readonly code: string;

  constructor(
    /** The file in question as people know it; bytes that are no UTF-8 are shown as U+FFFD. */
    readonly path: string,
    /** What is wrong with it. */
    readonly problem: string,
    options?: ErrorOptions,
  ) {
    super(`${path}: ${problem}`, options);
  }
}

/** A file is not what it was when the tree was read: somebody writes to the source. */
export class SourceChangedError extends ImageBuildError {
  override readonly name = 'SourceChangedError';
  readonly code = 'ERR_EROFS_SOURCE_CHANGED';
}

/** The format (or this writer's part of it) has no way to hold something. */
export class UnrepresentableError extends ImageBuildError {
  override readonly name = 'UnrepresentableError';
  readonly code = 'ERR_EROFS_UNREPRESENTABLE';
}

/**
 * An upper directory of overlayfs that depends on the layers below it (a redirected directory, a file without its
 * content): no image of its own can be made from it.
 */
export class DependentUpperError extends ImageBuildError {
  override readonly name = 'DependentUpperError';
  readonly code = 'ERR_EROFS_DEPENDENT_UPPER';
}
