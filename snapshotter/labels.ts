import type { Labels } from '../proto/snapshots';
import { InvalidArgumentError } from './errors';

/** containerd's bound on the bytes of a label's key and value together. */
const MAX_LABEL_BYTES = 4096;
const LABEL_PATH = 'labels.';

/** Labels as they are stored: one with an empty value is none, as in containerd. Throws InvalidArgumentError. */
export function storableLabels(labels: Readonly<Labels>): Labels {
  return Object.fromEntries(
    Object.entries(labels).filter(([key, value]) => {
      const bytes = Buffer.byteLength(key) + Buffer.byteLength(value);
      if (bytes > MAX_LABEL_BYTES) {
        throw new InvalidArgumentError(
          `label ${key.slice(0, 64)}: key and value have ${bytes} bytes, more than ${MAX_LABEL_BYTES}`,
        );
      }
      return value !== '';
    }),
  );
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
  let labels = new Map(Object.entries(paths.length === 0 ? given : current));
  for (const path of paths) {
    if (path === 'labels') {
      labels = new Map(Object.entries(given));
    } else if (path.startsWith(LABEL_PATH)) {
      const key = path.slice(LABEL_PATH.length);
      labels.set(key, Object.hasOwn(given, key) ? (given[key] ?? '') : '');
    } else {
      throw new InvalidArgumentError(`field "${path}" of a snapshot cannot be updated`);
    }
  }
  return storableLabels(Object.fromEntries(labels));
}
