/** An image, an archive or a part of it cannot be read as one: what is wrong, and with what. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';

  constructor(
    /** The archive as the user named it, or a blob in it. */
    readonly subject: string,
    readonly problem: string,
    options?: ErrorOptions,
  ) {
    super(`${subject}: ${problem}`, options);
  }
}
