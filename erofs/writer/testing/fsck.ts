import {
  copyFileSync,
  openSync,
  closeSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { COMPAT, INCOMPAT } from '../../format/feature';
import { superblockRecord, SUPERBLOCK_OFFSET } from '../../format/superblock';
import { superblockChecksum } from '../../superblock';
import { newerTool, systemFsck } from '../../testing/erofs-utils';
import { BLOCK_SIZE } from '../geometry';

/**
 * What the fsck.erofs of this machine says against an image: nothing, where it is content. Debian 12's knows no long
 * xattr prefixes, so it judges a copy whose superblock does not mention them: all but the fingerprints.
 */
export function complaintsOfSystemFsck(image: string): string {
  const copy = `${image}.without-prefixes`;
  copyFileSync(image, copy);
  try {
    forgetPrefixes(copy);
    // Of every inode it reads where attributes would begin, also where there are none: behind an inode at the end of the image
    // that is behind the image.
    truncateSync(copy, statSync(copy).size + BLOCK_SIZE);
    return systemFsck.complaints('--extract', copy);
  } finally {
    rmSync(copy);
  }
}

/** fsck.erofs 1.9.2 or later, which checks fingerprints; undefined where ISHARE_TEST_EROFS_UTILS names no tree with one. */
export function fingerprintFsck(): ((image: string) => string) | undefined {
  const fsck = newerTool('fsck.erofs');
  return fsck && ((image) => fsck.complaints('--extract', '--xattr-inode-digest', image));
}

function forgetPrefixes(image: string): void {
  const fd = openSync(image, 'r+');
  try {
    const block = Buffer.alloc(BLOCK_SIZE);
    readSync(fd, block, 0, BLOCK_SIZE, 0);
    const { fields } = superblockRecord;
    const site = { image, origin: 0 };
    const incompat = fields.featureIncompat.read(block, SUPERBLOCK_OFFSET, site);
    fields.featureIncompat.write(block, SUPERBLOCK_OFFSET, incompat & ~INCOMPAT.XATTR_PREFIXES);
    fields.featureCompat.write(block, SUPERBLOCK_OFFSET, COMPAT.SB_CHKSUM | COMPAT.MTIME);
    fields.checksum.write(block, SUPERBLOCK_OFFSET, superblockChecksum(block, BLOCK_SIZE));
    writeSync(fd, block, 0, BLOCK_SIZE, 0);
  } finally {
    closeSync(fd);
  }
}
