/** The daemon cannot start as things are; the message says what to change. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
