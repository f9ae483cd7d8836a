import { InodeOrder, type InodeState } from '../../proto/admin-messages';

/** Largest first, but fingerprints in their own order. Equal ones by fingerprint, so that lists are stable. */
export function compareInodes(order: number): (a: InodeState, b: InodeState) => number {
  const byName = (a: InodeState, b: InodeState): number => (a.fingerprint < b.fingerprint ? -1 : 1);
  const key = orderKeys[order] ?? 'saved_bytes';
  if (key === 'fingerprint') return byName;
  return (a, b) => b[key] - a[key] || byName(a, b);
}

const orderKeys: Readonly<
  Record<number, 'saved_bytes' | 'cached_bytes' | 'size' | 'images' | 'open_files' | 'fingerprint'>
> = {
  [InodeOrder.SAVED]: 'saved_bytes',
  [InodeOrder.CACHED]: 'cached_bytes',
  [InodeOrder.SIZE]: 'size',
  [InodeOrder.IMAGES]: 'images',
  [InodeOrder.OPEN]: 'open_files',
  [InodeOrder.FINGERPRINT]: 'fingerprint',
};
