import type { LogSink } from './engine';
import { shrinkHeap } from './shrink-heap';
import type { ImageOpener } from './image-opener';
import type { ScansDone } from './scan-queue';

/** So many images at a time are attached when a daemon starts, and not for a container. */
const MANY_IMAGES = 100;
/** So many files leave some 20 MB of garbage behind. */
const MANY_FILES = 50_000;

/**
 * Scans at the start have read the metadata of all images, most of which nobody will ask for: the kernel remembers what
 * containers use. Where few were scanned, somebody is about to use them, and would feel that garbage is collected.
 */
export async function restAfterScans(
  { images, files }: ScansDone,
  opener: ImageOpener,
  log: LogSink,
): Promise<void> {
  if (images < MANY_IMAGES && files < MANY_FILES) return;
  opener.rest();
  try {
    await shrinkHeap();
  } catch (error) {
    log('debug', 'what scans left behind stays for now', { error: String(error) });
  }
}
