import { splitImageNode } from '../../../ishare/node-numbers';
import { TakeoverJournal } from '../../../ishare/takeover/journal';
import { journalPath } from '../../../ishare/takeover/takeover-state';
import { errorCode } from '../../../linux/errno';
import type { DatabaseContent } from './database';
import { fine, type Finding } from './finding';

/** What the journal says is open. */
export interface JournalLook {
  readonly path: string;
  /** Ranges of node ids that files are open in, with how many inodes. */
  readonly openByRange: ReadonlyMap<number, number>;
  readonly backingIds: number;
}

/** Undefined where there is none, or none that this program understands. Synchronous. */
export function lookAtJournal(state: string): JournalLook | undefined {
  const path = journalPath(state);
  using journal = openJournal(path);
  if (journal === undefined) return undefined;
  const openByRange = new Map<number, number>();
  for (const { node } of journal.opens()) {
    const { nodeRange } = splitImageNode(node);
    openByRange.set(nodeRange, (openByRange.get(nodeRange) ?? 0) + 1);
  }
  return { path, openByRange, backingIds: Array.from(journal.backings()).length };
}

function openJournal(path: string): TakeoverJournal | undefined {
  try {
    return TakeoverJournal.open(path);
  } catch (error) {
    // An empty file cannot be mapped: EINVAL (mmap(2)).
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'EINVAL') return undefined;
    throw error;
  }
}

/**
 * The kernel lists neither, so what is journaled is compared. With a daemon running it is in motion: files of an image that
 * is gone may be open still.
 */
export function journalFindings(
  look: JournalLook | undefined,
  { attachments }: DatabaseContent,
  running: boolean,
): Finding[] {
  if (look === undefined) return [];
  const { path, openByRange, backingIds } = look;
  const ranges = new Set(attachments.map(({ nodeRange }) => nodeRange));
  const gone = [...openByRange].filter(([range]) => !ranges.has(range));
  const inodes = gone.reduce((sum, [, count]) => sum + count, 0);
  const stray = (what: string, why: string): Finding => ({
    area: 'mounts',
    level: running ? 'note' : 'problem',
    what,
    where: path,
    why,
    remedy: running ? 'none while containers have them open' : 'start the daemon, which gives them back',
  });
  const findings = [
    ...(inodes > 0 ? [stray('open files of images that are gone', `${inodes} inodes`)] : []),
    ...(backingIds > 0 && attachments.length === 0
      ? [stray('backing ids of images that are gone', `${backingIds} backing ids`)]
      : []),
  ];
  return findings.length > 0
    ? findings
    : [fine('mounts', 'open files and backing ids belong to images', `${backingIds} backing ids`)];
}
