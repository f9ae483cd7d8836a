/** The command cannot do what it was asked; the message is for the user, without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
