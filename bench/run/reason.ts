import { CtrError } from '../../scripts/containerd/ctr-error';
import { CommandError } from '../../scripts/process/command';

const LONGEST = 300;

/** Why something failed, in one line that fits a report. */
export function reasonOf(error: unknown): string {
  if (error instanceof CommandError) {
    const { program, arguments: words, failure, stderr } = error.outcome;
    const name =
      words.find((word) => word.startsWith('/') && program.includes('ld-linux') && !word.includes(':')) ??
      program;
    return `${name.split('/').at(-1) ?? name} (${failure}): ${lastLine(stderr)}`.slice(0, LONGEST);
  }
  if (error instanceof CtrError) return `ctr: ${lastLine(error.stderr)}`.slice(0, LONGEST);
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n').slice(0, 2).join(' ').slice(0, LONGEST);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
