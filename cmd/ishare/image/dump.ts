import { InvalidArgumentError, type Command } from 'commander';
import type { Nid } from '../../../erofs/brands';
import { DATA_LAYOUT_NAMES } from '../../../erofs/format/inode';
import type { ErofsImage, Inode } from '../../../erofs/image';
import { isDirectory, isRegularFile, isSymlink } from '../../../erofs/inode';
import { resolvePath } from '../../../erofs/path-resolution';
import { CommandError } from '../command-error';
import { formatTable, print, printJson } from '../output';
import { EXTENT_HEADER, extentJson, extentLine } from './extent-text';
import { imageAction, imageCommandOf, openImage, type ImageFlags } from './image-action';
import { inodeJson, modeString, nidJson, parseNid, sizeText, timeText } from './inode-text';
import { JsonArrayOutput, OutputLines, writeOutput } from './standard-output';
import { superblockFacts, type Fact } from './superblock-text';
import { jsonName, visibleName } from './visible-name';

interface DumpFlags extends ImageFlags {
  readonly nid?: Nid;
  readonly json?: true;
}

const FAILURE = 1;

export function dumpCommand(): Command {
  return imageCommandOf('dump', FAILURE)
    .description('show the superblock of an image, or one inode with its layout and extents')
    .argument('<image>', 'EROFS image')
    .argument('[path]', 'show this inode; a symlink is not followed')
    .option('--nid <n>', 'show the inode of this number', nid)
    .option('--json', 'print JSON for programs')
    .addHelpText('after', HELP)
    .action((path: string, inside: string | undefined, flags: DumpFlags) =>
      imageAction('dump', FAILURE, () => dump(path, inside, flags)),
    );
}

const HELP = `
Offsets, lengths, positions and sizes are bytes. OFFSET and LENGTH are in the file, POSITION and SIZE where its bytes lie.
Exit codes: 0 shown, 1 not.`;

function nid(text: string): Nid {
  const parsed = parseNid(text);
  if (parsed === undefined) throw new InvalidArgumentError('It is no number of an inode.');
  return parsed;
}

async function dump(path: string, inside: string | undefined, flags: DumpFlags): Promise<number> {
  if (inside !== undefined && flags.nid !== undefined)
    throw new CommandError('give a path or --nid, not both');
  await using image = await openImage(path, flags.device);
  if (flags.nid !== undefined) await dumpInode(image, await image.inode(flags.nid), flags);
  else if (inside !== undefined)
    await dumpInode(image, await resolvePath(image, Buffer.from(inside), false), flags);
  else dumpSuperblock(await superblockFacts(image), flags);
  return 0;
}

function dumpSuperblock(facts: readonly Fact[], { json }: DumpFlags): void {
  if (json === true) printJson(Object.assign({}, ...facts.map((fact) => fact.json)));
  else printFacts(facts);
}

async function dumpInode(image: ErofsImage, inode: Inode, { json }: DumpFlags): Promise<void> {
  const facts = await inodeFacts(image, inode);
  const hasData = isRegularFile(inode) || isDirectory(inode) || isSymlink(inode);
  if (json === true) {
    // The extents of a file may be many: they are printed as they are found.
    const members = JSON.stringify(Object.assign({}, ...facts.map((fact) => fact.json)), null, 2);
    await writeOutput(`${members.slice(0, members.lastIndexOf('\n'))},\n  "extents": `);
    const output = new JsonArrayOutput();
    if (hasData) for await (const extent of image.extents(inode)) await output.add(extentJson(extent));
    await output.end();
    await writeOutput('}\n');
    return;
  }
  printFacts(facts);
  if (!hasData || inode.size === 0) return;
  const lines = new OutputLines();
  await lines.add(`\n${EXTENT_HEADER}`);
  let number = 0;
  for await (const extent of image.extents(inode)) await lines.add(extentLine(number++, extent));
  await lines.flush();
}

async function inodeFacts(image: ErofsImage, inode: Inode): Promise<Fact[]> {
  const layout = DATA_LAYOUT_NAMES[inode.layout];
  const xattrs = await image.xattrs(inode);
  const fingerprint = await image.fingerprint(inode);
  const all: Fact = { title: 'Inode', text: String(nidJson(inode.nid)), json: inodeJson(inode) };
  const time = `${timeText(inode.mtime)} and ${inode.mtime.nanoseconds} ns`;
  return [
    all,
    shown('Mode', `${modeString(inode)} (0${(inode.mode & 0o7777).toString(8)})`),
    shown('Links', String(inode.nlink)),
    shown('Owner', `${inode.uid}:${inode.gid}`),
    shown('Size or device', sizeText(inode)),
    shown('Modified', time),
    { title: 'Serial number', text: String(inode.ino), json: { serial_number: inode.ino } },
    { title: 'Layout', text: layout, json: { layout } },
    {
      title: 'Xattrs at',
      text: inode.xattrSize === 0 ? '-' : `byte ${inode.xattrOffset}, ${inode.xattrSize} bytes`,
      json: { xattr_offset: inode.xattrOffset, xattr_size: inode.xattrSize },
    },
    {
      title: 'Xattrs',
      text: xattrs.map(({ name, value }) => `${visibleName(name)} (${value.length} bytes)`).join(', ') || '-',
      json: {
        xattrs: xattrs.map(({ name, value }) => ({
          ...jsonName('name', name),
          value_base64: value.toString('base64'),
        })),
      },
    },
    {
      title: 'Fingerprint',
      text: fingerprint === undefined ? '-' : fingerprint.toString('hex'),
      json: fingerprint === undefined ? {} : { fingerprint_base64: fingerprint.toString('base64') },
    },
  ];
}

/** A fact that JSON has elsewhere. */
function shown(title: string, text: string): Fact {
  return { title, text, json: {} };
}

function printFacts(facts: readonly Fact[]): void {
  print(
    formatTable<Fact>(
      [
        { title: 'FIELD', value: ({ title }) => title },
        { title: 'VALUE', value: ({ text }) => text },
      ],
      facts,
    ),
  );
}
