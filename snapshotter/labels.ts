import { quoted } from '../ishare/admin/request-fields';
import type { Labels } from '../proto/snapshots';
import { InvalidArgumentError } from './errors';

/** containerd's bound on the bytes of a label's key and value together. */
const MAX_LABEL_BYTES = 4096;
/** The same for all labels of a snapshot, on which containerd has no bound: List must be able to tell them. */
const MAX_ALL_LABELS_BYTES = 1 << 20;
const ALL_LABELS = 'labels';
const LABEL_PATH = 'labels.';

/** Labels as they are stored: one with an empty value is none, as in containerd. Throws InvalidArgumentError. */
export function storableLabels(labels: Readonly<Labels>): Labels {
  const stored = Object.entries(labels).filter(([key, value]) => {
    const bytes = labelBytes(key, value);
    if (bytes > MAX_LABEL_BYTES) {
      throw new InvalidArgumentError(
        `label ${quoted(key)}: key and value have ${bytes} bytes, more than ${MAX_LABEL_BYTES}`,
      );
    }
    return value !== '';
  });
  const allBytes = stored.reduce((sum, [key, value]) => sum + labelBytes(key, value), 0);
  if (allBytes > MAX_ALL_LABELS_BYTES) {
    throw new InvalidArgumentError(
      `the labels of a snapshot have ${allBytes} bytes, more than ${MAX_ALL_LABELS_BYTES}`,
    );
  }
  return Object.fromEntries(stored);
}

function labelBytes(key: string, value: string): number {
  return Buffer.byteLength(key) + Buffer.byteLength(value);
}

/**
 * The labels after an update. `paths` is the field mask: `labels` replaces all, `labels.KEY` sets that one or, where
 * `given` lacks it, removes it; no path at all means everything that can change, which is the labels. Any other
 * path throws InvalidArgumentError.
 */
export function updateLabels(
  current: Readonly<Labels>,
  given: Readonly<Labels>,
  paths: readonly string[],
): Labels {
  const wrong = paths.find((path) => path !== ALL_LABELS && !path.startsWith(LABEL_PATH));
  if (wrong !== undefined)
    throw new InvalidArgumentError(`field ${quoted(wrong)} of a snapshot cannot be updated`);
  // What other paths name is replaced by this one with the very same.
  if (paths.length === 0 || paths.includes(ALL_LABELS)) return storableLabels(given);
  const labels = new Map(Object.entries(current));
  for (const path of paths) {
    const key = path.slice(LABEL_PATH.length);
    labels.set(key, Object.hasOwn(given, key) ? (given[key] ?? '') : '');
  }
  return storableLabels(Object.fromEntries(labels));
}
