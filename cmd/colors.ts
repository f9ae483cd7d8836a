import { isatty } from 'node:tty';
import pc from 'picocolors';

const STANDARD_OUTPUT = 1;

/**
 * Colours for what goes to standard output: on a terminal only, and not where NO_COLOR asks for none. picocolors alone
 * would also colour the output of a pipe where the environment says CI.
 */
export const colors = pc.createColors(isatty(STANDARD_OUTPUT) && process.env['NO_COLOR'] === undefined);
