import { Command, Option } from 'commander';
import { ErofsPathError } from '../../../erofs/errors';
import { ErofsImage } from '../../../erofs/image';
import { visibleText } from '../../visible-text';
import { CommandError } from '../command-error';
import { exitingWith } from './exit-code';
import { asCommandError } from './expected-failure';
import { OutputClosedError } from './standard-output';

/** Options of every command that opens an image. */
export interface ImageFlags {
  readonly device: readonly string[];
}

/** `--device` or one like it, for an image that has extra devices. */
export function deviceOption(flag: string, image: string): Option {
  const meaning = `extra device of ${image}; repeatable, in the order of its table`;
  return new Option(`${flag} <blob>`, meaning).argParser(repeated).default([], 'none');
}

/** The value of an option that may be given several times. */
export function repeated(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** A command that opens one image. `failure` is its exit code where the words on the command line are wrong. */
export function imageCommandOf(name: string, failure: number): Command {
  return withUsageFailure(withDeviceOption(new Command(name)), failure);
}

export function withDeviceOption(command: Command): Command {
  return command.showHelpAfterError().addOption(deviceOption('--device', 'the image'));
}

/** Exit code 1 says something about the image, in some commands: there, wrong words must not end with it. */
export function withUsageFailure(command: Command, failure: number): Command {
  return command
    .showHelpAfterError()
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : failure));
}

/** What an expected error says. Throws any other: that is a bug of this program, and has a stack to show. */
export function messageOf(error: unknown): string {
  if (error instanceof ErofsPathError) return error.message;
  const expected = asCommandError(error);
  if (expected instanceof CommandError) return expected.message;
  throw error;
}

/** Prints a problem that does not end the command. */
export function complain(command: string, error: unknown): void {
  process.stderr.write(`ishare: image ${command}: ${visibleText(messageOf(error))}\n`);
}

/**
 * Does the work of `ishare image COMMAND`, which gives the exit code. `failure` is the exit code where an expected error
 * ends it: that is printed on one line.
 */
export function imageAction(command: string, failure: number, work: () => Promise<number>): Promise<void> {
  return exitingWith(failure, async () => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof OutputClosedError) return error.quiet ? 0 : failure;
      complain(command, error);
      return failure;
    }
  });
}

export function openImage(path: string, devices: readonly string[]): Promise<ErofsImage> {
  return ErofsImage.open(path, { devices });
}
