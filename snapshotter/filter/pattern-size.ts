/** Largest regular expression that is compiled, as patternSize() counts. */
export const MAX_PATTERN_SIZE = 5000;

const COUNTED_REPETITION = /\{(\d+)(?:,(\d*))?\}/g;

/**
 * A bound on the instructions that a regular expression becomes, without reading it in earnest: its characters, times all
 * counts in it, as if each repetition were inside of the others. Matching takes no more than so many steps for each
 * character of the text.
 */
export function patternSize(text: string): number {
  let size = text.length;
  for (const [, least = '', most = ''] of text.matchAll(COUNTED_REPETITION)) {
    size *= Math.max(1, Number(least), Number(most));
  }
  return size;
}
