import type { Wishes } from '../fuse/negotiation';
import type { CapabilityName } from '../fuse/protocol/flags';

const CAPABILITIES: readonly CapabilityName[] = [
  'ASYNC_READ',
  // Not READDIRPLUS_AUTO: the kernel would go back to plain READDIR after the first batch of a large directory.
  'DO_READDIRPLUS',
  'PARALLEL_DIROPS',
  'MAX_PAGES',
  'CACHE_SYMLINKS',
  'NO_OPENDIR_SUPPORT',
  'EXPLICIT_INVAL_DATA',
  'HAS_RESEND',
];
/** READs of up to 1 MiB. */
const MAX_PAGES = 256;
const MAX_BACKGROUND = 64;

/** The images mount is depth 1; overlayfs above it is 2, the kernel's limit (FILESYSTEM_MAX_STACK_DEPTH). */
export const IMAGES_WISHES: Wishes = {
  // POSIX_ACL: overlayfs honours and shows the ACLs of its layers only where the layer's mount has them.
  // DIRECT_IO_ALLOW_MMAP: for files that are opened with DIRECT_IO because there is no passthrough (Linux 6.6).
  capabilities: [...CAPABILITIES, 'POSIX_ACL', 'PASSTHROUGH', 'DIRECT_IO_ALLOW_MMAP'],
  maxPages: MAX_PAGES,
  maxStackDepth: 1,
  maxBackground: MAX_BACKGROUND,
};

/** The ishare mount must not be passthrough itself, and needs no OPEN. */
export const ISHARE_WISHES: Wishes = {
  capabilities: [...CAPABILITIES, 'NO_OPEN_SUPPORT'],
  maxPages: MAX_PAGES,
  maxStackDepth: 0,
  maxBackground: MAX_BACKGROUND,
};

/**
 * The mount of one image. No passthrough: that hands over whole files, and a file of an image is a part of one. Depth 0
 * leaves overlayfs and others the most room above.
 */
export const SINGLE_IMAGE_WISHES: Wishes = {
  capabilities: [...CAPABILITIES, 'POSIX_ACL', 'NO_OPEN_SUPPORT'],
  maxPages: MAX_PAGES,
  maxStackDepth: 0,
  maxBackground: MAX_BACKGROUND,
};
