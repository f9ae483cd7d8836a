import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, openSync, closeSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { COMPAT, INCOMPAT } from '../../format/feature';
import { superblockRecord, SUPERBLOCK_OFFSET } from '../../format/superblock';
import { superblockChecksum } from '../../superblock';
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
    return complaints('fsck.erofs', ['--extract', copy]);
  } finally {
    rmSync(copy);
  }
}

/** fsck.erofs 1.9.2 or later, which checks fingerprints; undefined where ISHARE_TEST_EROFS_UTILS names no tree with one. */
export function fingerprintFsck(): ((image: string) => string) | undefined {
  // A Debian package and its libraries, unpacked into one tree.
  const tree = process.env['ISHARE_TEST_EROFS_UTILS'];
  if (tree === undefined) return undefined;
  const program = join(tree, 'usr/bin/fsck.erofs');
  if (!existsSync(program)) return undefined;
  const loader = ['lib64', 'usr/lib64']
    .map((name) => join(tree, name, 'ld-linux-x86-64.so.2'))
    .find(existsSync);
  const command =
    loader === undefined
      ? [program]
      : [loader, '--library-path', join(tree, 'usr/lib/x86_64-linux-gnu'), program];
  return (image) =>
    complaints(command[0] ?? program, [...command.slice(1), '--extract', '--xattr-inode-digest', image]);
}

function complaints(program: string, args: readonly string[]): string {
  const { status, stderr, stdout, error } = spawnSync(program, args, { encoding: 'utf8', timeout: 120_000 });
  if (error !== undefined) throw error;
  return status === 0 ? '' : `${program} ended with ${status}: ${stdout}${stderr}`;
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
