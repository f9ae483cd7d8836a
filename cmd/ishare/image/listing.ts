import { inodeNumber } from '../../../erofs/inode-number';
import type { ErofsImage, Inode } from '../../../erofs/image';
import { isSymlink } from '../../../erofs/inode';
import { inodeJson, modeString, sizeText, timeText } from './inode-text';
import type { OutputLines } from './standard-output';
import { jsonName, outputName } from './visible-name';

/** A name to be listed. */
export interface ListedEntry {
  readonly name: Buffer;
  readonly inode: Inode;
  /** Of a symlink, where it could be read. */
  readonly target?: Buffer | undefined;
}

export interface ListingStyle {
  /** Modes, owners, sizes and times beside the names. */
  readonly long: boolean;
  readonly inodeNumbers: boolean;
}

const ARROW = Buffer.from(' -> ');

/** Entries as ls prints them: a line each, columns as wide as they must be. */
export async function printListing(
  image: ErofsImage,
  entries: readonly ListedEntry[],
  { long, inodeNumbers }: ListingStyle,
  lines: OutputLines,
): Promise<void> {
  const rows = entries.map(({ inode }) => [
    ...(inodeNumbers ? [String(inodeNumber(image.superblock, inode.nid))] : []),
    ...(long ? longColumns(inode) : []),
  ]);
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  }
  for (const [index, { name, target }] of entries.entries()) {
    const cells = (rows[index] ?? []).map((cell, column) => `${cell.padStart(widths[column] ?? 0)} `);
    const shown = [Buffer.from(cells.join('')), outputName(name)];
    if (long && target !== undefined) shown.push(ARROW, outputName(target));
    await lines.add(Buffer.concat(shown));
  }
}

function longColumns(inode: Inode): string[] {
  return [
    modeString(inode),
    String(inode.nlink),
    String(inode.uid),
    String(inode.gid),
    sizeText(inode),
    timeText(inode.mtime),
  ];
}

/** An entry with its path, for JSON. */
export function listedJson(path: Buffer, { inode, target }: ListedEntry): Readonly<Record<string, unknown>> {
  return {
    ...jsonName('path', path),
    ...inodeJson(inode),
    ...(target === undefined ? {} : jsonName('target', target)),
  };
}

/** What `ls` needs to know of an inode under a name. */
export async function listedEntry(image: ErofsImage, name: Buffer, inode: Inode): Promise<ListedEntry> {
  return { name, inode, target: isSymlink(inode) ? await image.readlink(inode) : undefined };
}
