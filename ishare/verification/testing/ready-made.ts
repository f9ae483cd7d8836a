import { createHash } from 'node:crypto';
import { chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Nid } from '../../../erofs/brands';
import { buildImage } from '../../../erofs/build';
import {
  DATA_LAYOUT,
  extendedInodeRecord,
  INODE_FORMAT,
  INODE_SLOT,
  NO_BLOCK_HIGH,
  NO_BLOCK_LOW,
} from '../../../erofs/format/inode';
import { FINGERPRINT_LABEL } from '../../../erofs/format/xattr';
import { ErofsImage } from '../../../erofs/image';
import { resolvePath } from '../../../erofs/path-resolution';

/** So large an owner has room in extended inodes only, whose sizes can be made anything. */
const OWNER = 100_000;

/** Contents by path, without a leading slash. */
export type Files = Readonly<Record<string, Buffer | string>>;

/** An image of these files, as somebody else might have made it. Each has a fingerprint, by an attribute of any name. */
export async function makeReadyMade(
  target: string,
  files: Files,
  fingerprintXattr = 'trusted.my.digest',
): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'ready-made-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(path.join(directory, path.dirname(name)), { recursive: true });
      await writeFile(path.join(directory, name), content);
      await chown(path.join(directory, name), OWNER, OWNER);
    }
    await buildImage({ source: { directory, overlay: false }, target, fingerprintXattr });
    return target;
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The attribute's value for a content. */
export function fingerprintOf(content: Buffer | string): Buffer {
  return Buffer.concat([Buffer.from(FINGERPRINT_LABEL), createHash('sha256').update(content).digest()]);
}

/** SHA-256 in hexadecimal. */
export function digestOfBytes(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Makes a file claim another fingerprint, of the same length. No other file of the image may have its content. */
export async function forge(image: string, file: string, claim: Buffer): Promise<void> {
  const { bytes, value } = await placeOfFingerprint(image, file);
  if (claim.length !== fingerprintOf('').length) throw new Error(`a claim of ${claim.length} bytes`);
  claim.copy(bytes, value);
  await writeFile(image, bytes);
}

/** Cuts the last byte off a file's fingerprint. */
export async function shortenFingerprint(image: string, file: string): Promise<void> {
  const { bytes, value } = await placeOfFingerprint(image, file);
  // The value's size stands right before it, since the attribute's name is all prefix (struct erofs_xattr_entry).
  bytes.writeUInt16LE(bytes.readUInt16LE(value - 2) - 1, value - 2);
  await writeFile(image, bytes);
}

/** Makes a file one long hole of so many bytes: it takes a while to verify. Its fingerprint stays what it was. */
export async function hollowOut(image: string, file: string, size: number): Promise<void> {
  const bytes = await readFile(image);
  const { metaOffset, nid } = await inImage(image, async (opened) => ({
    metaOffset: opened.superblock.metaOffset,
    nid: await nidOf(opened, file),
  }));
  const at = metaOffset + nid * INODE_SLOT;
  const { format } = extendedInodeRecord.fields;
  const site = { image, origin: 0 };
  if ((format.read(bytes, at, site) & INODE_FORMAT.EXTENDED) === 0)
    throw new Error(`${file}: a compact inode`);
  format.write(bytes, at, INODE_FORMAT.EXTENDED | (DATA_LAYOUT.FLAT_PLAIN << INODE_FORMAT.LAYOUT_SHIFT));
  bytes.writeBigUInt64LE(BigInt(size), at + extendedInodeRecord.fields.size.offset);
  bytes.writeUInt32LE(NO_BLOCK_LOW, at + extendedInodeRecord.fields.startBlockLow.offset);
  bytes.writeUInt16LE(NO_BLOCK_HIGH, at + extendedInodeRecord.fields.startBlockHigh.offset);
  await writeFile(image, bytes);
}

async function placeOfFingerprint(image: string, file: string): Promise<{ bytes: Buffer; value: number }> {
  const bytes = await readFile(image);
  const current = await inImage(image, async (opened) => {
    const inode = await resolvePath(opened, Buffer.from(file), false);
    return Buffer.from((await opened.fingerprint(inode)) ?? '');
  });
  const value = bytes.indexOf(current);
  if (current.length === 0 || value < 0 || bytes.includes(current, value + 1)) {
    throw new Error(`${file} has no fingerprint of its own`);
  }
  return { bytes, value };
}

async function nidOf(image: ErofsImage, file: string): Promise<Nid> {
  return (await resolvePath(image, Buffer.from(file), false)).nid;
}

async function inImage<Result>(path_: string, ask: (image: ErofsImage) => Promise<Result>): Promise<Result> {
  await using image = await ErofsImage.open(path_);
  return await ask(image);
}
