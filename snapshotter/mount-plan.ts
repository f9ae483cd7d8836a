import { Kind, type Mount } from '../proto/snapshots';

/** The parts that a snapshot is mounted from. */
export interface MountParts {
  readonly kind: typeof Kind.ACTIVE | typeof Kind.VIEW;
  /** The snapshot's own directories. */
  readonly upper: string;
  readonly work: string;
  /** Directories of the parent chain, nearest parent first. */
  readonly lower: readonly string[];
}

/**
 * Options of every overlay, written out so that the distribution's defaults do not count:
 * an image may bring forged trusted.overlay.* attributes, which must not be obeyed. `redirect_dir=off` would still
 * follow redirects where the kernel was built with OVERLAY_FS_REDIRECT_ALWAYS_FOLLOW; `nofollow` never does.
 * Inode numbers are unique over all layers already, so xino has nothing to add.
 */
const OVERLAY_OPTIONS = ['index=off', 'metacopy=off', 'redirect_dir=nofollow', 'xino=off'];

/** What containerd has to mount for a snapshot: always one mount. */
export function planMounts({ kind, upper, work, lower }: MountParts): Mount[] {
  const writable = kind === Kind.ACTIVE;
  const [parent] = lower;
  if (parent === undefined) return [bind(upper, writable)];
  if (!writable && lower.length === 1) return [bind(parent, false)];
  const writableOptions = writable ? [`workdir=${work}`, `upperdir=${upper}`] : [];
  const options = [...OVERLAY_OPTIONS, ...writableOptions, `lowerdir=${lower.join(':')}`];
  return [{ type: 'overlay', source: 'overlay', target: '', options }];
}

function bind(source: string, writable: boolean): Mount {
  return { type: 'bind', source, target: '', options: [writable ? 'rw' : 'ro', 'rbind'] };
}
