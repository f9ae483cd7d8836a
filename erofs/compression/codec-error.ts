/** A stream that does not decode. The decoder adds which image, inode and place it came from. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

/** A system library that an algorithm needs is not there. */
export class MissingCodecError extends Error {
  override readonly name = 'MissingCodecError';
}
