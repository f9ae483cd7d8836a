import { Command } from 'commander';
import { Contents } from '../../../erofs/comparison/contents';
import {
  sharedContent,
  type ImageContents,
  type SharedContent,
} from '../../../erofs/comparison/shared-content';
import { compareTrees, type Difference } from '../../../erofs/comparison/tree-comparison';
import type { ErofsImage } from '../../../erofs/image';
import { startProgressBar } from '../../progress-bar';
import { visibleText } from '../../visible-text';
import { formatBytes, formatTable } from '../output';
import { deviceOption, imageAction, openImage, withUsageFailure } from './image-action';
import { JsonArrayOutput, OutputLines, writeOutput } from './standard-output';
import { jsonName, outputName } from './visible-name';

interface DiffFlags {
  readonly deviceA: readonly string[];
  readonly deviceB: readonly string[];
  readonly brief?: true;
  readonly json?: true;
}

const DIFFERENT = 1;
const TROUBLE = 2;

export function diffCommand(): Command {
  return withUsageFailure(new Command('diff'), TROUBLE)
    .description('compare two images, and tell what they would share')
    .argument('<a>', 'EROFS image')
    .argument('<b>', 'EROFS image')
    .addOption(deviceOption('--device-a', 'A'))
    .addOption(deviceOption('--device-b', 'B'))
    .option('-q, --brief', 'only tell whether they differ')
    .option('--json', 'print JSON for programs')
    .addHelpText('after', HELP)
    .action((a: string, b: string, flags: DiffFlags) =>
      imageAction('diff', TROUBLE, () => diff(a, b, flags)),
    );
}

const HELP = `
A line for each path that differs: "+" only in B, "-" only in A, "!" in both, with what is different: type, content,
target, device, links (their number), mode, owner, time, xattrs (but for the fingerprint). Contents are compared by their
SHA-256; fingerprints that an image claims are believed, "ishare image fsck" checks them.

Exit codes: 0 no difference, 1 differences, 2 trouble.`;

async function diff(a: string, b: string, flags: DiffFlags): Promise<number> {
  await using before = await openImage(a, flags.deviceA);
  await using after = await openImage(b, flags.deviceB);
  return flags.brief === true ? await tellWhether(before, after, flags) : await tellAll(before, after, flags);
}

async function tellWhether(before: ErofsImage, after: ErofsImage, { json }: DiffFlags): Promise<number> {
  const difference = await compareTrees(new Contents(before), new Contents(after)).next();
  const differ = difference.done !== true;
  if (json === true) await writeOutput(`${JSON.stringify({ differ })}\n`);
  else if (differ) await writeOutput(visibleText(`Images ${before.label} and ${after.label} differ`) + '\n');
  return differ ? DIFFERENT : 0;
}

async function tellAll(before: ErofsImage, after: ErofsImage, flags: DiffFlags): Promise<number> {
  const { sharing, contents } = await shareWithBar(before, after, flags);
  const differences = compareTrees(contents.before, contents.after);
  let count = 0;
  if (flags.json === true) {
    await writeOutput('{\n  "differences": ');
    const output = new JsonArrayOutput();
    for await (const difference of differences) {
      count++;
      await output.add(differenceJson(difference));
    }
    await output.end();
    await writeOutput(`,\n  "sharing": ${JSON.stringify(sharingJson(sharing), null, 2)}\n}\n`);
  } else {
    const lines = new OutputLines();
    for await (const difference of differences) {
      count++;
      await lines.add(differenceLine(difference));
    }
    if (count > 0) await lines.add('');
    await lines.add(sharingText(sharing));
    await lines.flush();
  }
  return count === 0 ? 0 : DIFFERENT;
}

/** Hashes all that must be hashed, so that comparing the trees takes no long time any more. */
async function shareWithBar(
  before: ErofsImage,
  after: ErofsImage,
  { json }: DiffFlags,
): Promise<{ sharing: SharedContent; contents: { before: Contents; after: Contents } }> {
  using bar = json === true ? undefined : startProgressBar('Hashing files', 'bytes');
  const hashed = { before: 0, after: 0 };
  let total = 0;
  const update = (side: 'before' | 'after', bytes: number): void => {
    hashed[side] = bytes;
    bar?.update(hashed.before + hashed.after, total);
  };
  const contents = {
    before: new Contents(before, (bytes) => {
      update('before', bytes);
    }),
    after: new Contents(after, (bytes) => {
      update('after', bytes);
    }),
  };
  const sharing = await sharedContent(contents.before, contents.after, (bytes) => (total = bytes));
  return { sharing, contents };
}

const SIGNS: Readonly<Record<Difference['kind'], string>> = { added: '+', removed: '-', changed: '!' };

function differenceLine({ kind, path, aspects }: Difference): Buffer {
  const what = aspects.length === 0 ? '' : ` (${aspects.join(', ')})`;
  return Buffer.concat([Buffer.from(`${SIGNS[kind]} `), outputName(path), Buffer.from(what)]);
}

function differenceJson({ kind, path, aspects }: Difference): Readonly<Record<string, unknown>> {
  return { kind, ...jsonName('path', path), ...(kind === 'changed' ? { aspects } : {}) };
}

interface NamedContents extends ImageContents {
  readonly name: string;
}

function sharingText(sharing: SharedContent): string {
  const table = formatTable<NamedContents>(
    [
      { title: 'IMAGE', value: ({ name }) => name },
      { title: 'FILES', align: 'right', value: ({ files }) => String(files) },
      { title: 'BYTES', align: 'right', value: ({ bytes }) => formatBytes(bytes) },
      { title: 'FILES IN THE OTHER', align: 'right', value: ({ inOther }) => String(inOther) },
      { title: 'BYTES IN THE OTHER', align: 'right', value: ({ bytesInOther }) => formatBytes(bytesInOther) },
    ],
    [
      { name: 'A', ...sharing.before },
      { name: 'B', ...sharing.after },
    ],
  );
  const { pageCacheAlone: alone, pageCacheShared: shared } = sharing;
  const lines = [
    table,
    '',
    `Both hold ${sharing.sharedContents} contents of ${formatBytes(sharing.sharedBytes)}.`,
    `Page cache of all files of both: ${formatBytes(alone)}, shared ${formatBytes(shared)}: ${formatBytes(alone - shared)} less.`,
    ...noteOf('A', sharing.before),
    ...noteOf('B', sharing.after),
  ];
  return lines.join('\n');
}

function noteOf(name: string, { computed, files }: ImageContents): string[] {
  if (computed === 0) return [];
  const which = `${computed} of the ${files} files of ${name}`;
  return [
    `Note: ${which} have no fingerprint. Theirs were computed here; as the image is, they would not be shared.`,
  ];
}

function sharingJson(sharing: SharedContent): Readonly<Record<string, unknown>> {
  const side = ({ files, bytes, inOther, bytesInOther, computed }: ImageContents): unknown => ({
    files,
    bytes,
    files_in_other: inOther,
    bytes_in_other: bytesInOther,
    fingerprints_computed: computed,
  });
  return {
    a: side(sharing.before),
    b: side(sharing.after),
    shared_contents: sharing.sharedContents,
    shared_bytes: sharing.sharedBytes,
    page_cache_alone: sharing.pageCacheAlone,
    page_cache_shared: sharing.pageCacheShared,
  };
}
