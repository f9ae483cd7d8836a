import { DependentUpperError } from './errors';
import type { TreeNode, Xattr } from './tree';

/** Attributes that overlayfs keeps for itself (fs/overlayfs/overlayfs.h); `user.` on mounts with `userxattr`. */
const PRIVATE = ['trusted.overlay.', 'user.overlay.'];
/** Attributes of an overlay inside this one, as overlayfs stores them: theirs, not this one's (Linux 6.7). */
const ESCAPED = ['trusted.overlay.overlay.', 'user.overlay.overlay.'];

const OPAQUE = 'trusted.overlay.opaque';
/** 'y' hides what lies below. 'x' only announces whiteouts that are files with an attribute, which no upper has. */
const OPAQUE_YES = Buffer.from('y');
/** What the layer cannot be read without its lower layers for. */
const DEPENDENT = new Map([
  ['trusted.overlay.redirect', 'a renamed directory whose content is in a layer below'],
  ['trusted.overlay.metacopy', 'a file whose content is in a layer below'],
]);

/**
 * The attributes of a file in an upper directory, without those of overlayfs itself, but for the mark of an opaque
 * directory, which is part of what a layer says (OCI keeps it as `trusted.overlay.opaque=y` in file systems). Names
 * that users may set freely (`user.overlay.*`) never turn into marks. Throws DependentUpperError where an upper
 * directory means something only together with the layers below it.
 */
export function withoutOverlayXattrs(
  xattrs: readonly Xattr[],
  kind: TreeNode['kind'],
  shown: () => string,
): readonly Xattr[] {
  const kept: Xattr[] = [];
  for (const xattr of xattrs) {
    const name = xattr.name.toString('latin1');
    const dependent = DEPENDENT.get(name);
    if (dependent !== undefined) throw new DependentUpperError(shown(), `${dependent} (${name})`);
    if (name === OPAQUE && kind === 'directory' && xattr.value.subarray(0, 1).equals(OPAQUE_YES)) {
      kept.push({ name: xattr.name, value: OPAQUE_YES });
    } else if (
      ESCAPED.some((prefix) => name.startsWith(prefix)) ||
      !PRIVATE.some((prefix) => name.startsWith(prefix))
    ) {
      kept.push(xattr);
    }
  }
  return kept;
}
