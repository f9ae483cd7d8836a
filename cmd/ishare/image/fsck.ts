import type { Command } from 'commander';
import { checkImage, type CheckProgress, type CheckSummary } from '../../../erofs/check/image-check';
import type { Finding } from '../../../erofs/check/finding';
import { ErofsCorruptError, ErofsUnsupportedError } from '../../../erofs/errors';
import type { ErofsImage } from '../../../erofs/image';
import { startProgressBar, type ProgressBar } from '../../progress-bar';
import { visibleText } from '../../visible-text';
import { CommandError } from '../command-error';
import { formatBytes, printJson } from '../output';
import { imageAction, imageCommandOf, openImage, type ImageFlags } from './image-action';
import { nidJson } from './inode-text';
import { writeOutput } from './standard-output';
import { jsonName, visibleName } from './visible-name';

interface FsckFlags extends ImageFlags {
  readonly json?: true;
}

const CORRUPT = 1;
/** The image could not be checked. */
const TROUBLE = 2;

export function fsckCommand(): Command {
  return imageCommandOf('fsck', TROUBLE)
    .description('check an image: structure, checksums, all content, and every fingerprint')
    .argument('<image>', 'EROFS image')
    .option('--json', 'print JSON for programs')
    .addHelpText('after', HELP)
    .action((path: string, flags: FsckFlags) => imageAction('fsck', TROUBLE, () => fsck(path, flags)));
}

const HELP = `
Checked are: the superblock with its checksum, fields and count of inodes; the device table; compression configurations;
xattr prefixes; every directory (order, double names, "." and "..", types, directories with two parents); every inode
that a name leads to (type, link count, times); that no inode with its xattrs, inline tail and chunk table lies on
another, nor any data on one of them; every symlink; every extended attribute and the filter of names; all content, of
which every extent is decoded; and every fingerprint, which is recomputed.

Each finding is a line. Exit codes: 0 clean, 1 corrupt, 2 the image could not be checked.`;

async function fsck(path: string, flags: FsckFlags): Promise<number> {
  let image: ErofsImage;
  try {
    image = await openImage(path, flags.device);
  } catch (error) {
    if (!(error instanceof ErofsCorruptError)) throw error;
    // Nothing else can be said of an image that does not open.
    const only: Finding = { error, path: undefined };
    await new Report(path, flags).tell([only], undefined);
    return CORRUPT;
  }
  await using opened = image;
  requireDevices(opened);
  const report = new Report(path, flags);
  const summary = await report.run(opened);
  await report.tell(report.findings, summary);
  return report.count === 0 ? 0 : CORRUPT;
}

/** Without its devices an image may still hold all data, seen as one; else it cannot be judged. */
function requireDevices({ missingDevices, label }: ErofsImage): void {
  if (missingDevices === 0) return;
  throw new CommandError(
    `${label}: its content is on ${missingDevices} extra devices: name them with --device`,
  );
}

/** Prints findings as they come, or collects them for JSON. */
class Report {
  readonly findings: Finding[] = [];
  count = 0;

  constructor(
    private readonly path: string,
    private readonly flags: FsckFlags,
  ) {}

  async run(image: ErofsImage): Promise<CheckSummary> {
    using bar = this.flags.json === true ? undefined : new StageBar();
    const check = checkImage(image, (progress) => bar?.show(progress));
    for (;;) {
      const step = await check.next();
      if (step.done === true) return step.value;
      this.count++;
      if (this.flags.json === true) this.findings.push(step.value);
      else {
        bar?.clear();
        await writeOutput(lineOf(step.value));
      }
    }
  }

  /** Prints what remains to be said: `findings` (that were not printed before), and the result. */
  async tell(findings: readonly Finding[], summary: CheckSummary | undefined): Promise<void> {
    const count = Math.max(this.count, findings.length);
    if (this.flags.json === true) {
      printJson({
        image: this.path,
        clean: count === 0,
        findings: findings.map(jsonOf),
        ...(summary === undefined ? {} : { checked: summary }),
      });
      return;
    }
    for (const finding of findings) await writeOutput(lineOf(finding));
    const shown = visibleText(this.path);
    const result = count === 0 ? 'clean' : `${count} ${count === 1 ? 'finding' : 'findings'}`;
    const seen = summary === undefined ? '' : `, ${summaryText(summary)}`;
    await writeOutput(`${shown}: ${result}${seen}\n`);
  }
}

function summaryText({ inodes, files, bytes, fingerprints }: CheckSummary): string {
  const content = `${files} files with ${formatBytes(bytes)} of content`;
  return `${inodes} inodes, ${content}, ${fingerprints} fingerprints recomputed`;
}

function lineOf({ error, path }: Finding): string {
  const place = path === undefined ? '' : ` [${visibleName(path)}]`;
  return `${visibleText(error.message)}${place}\n`;
}

function jsonOf({ error, path }: Finding): Readonly<Record<string, unknown>> {
  return {
    kind: error instanceof ErofsUnsupportedError ? 'unsupported' : 'corrupt',
    ...(path === undefined ? {} : jsonName('path', path)),
    ...(error.nid === undefined ? {} : { nid: nidJson(error.nid) }),
    ...(error.offset === undefined ? {} : { [error.inData ? 'data_offset' : 'image_offset']: error.offset }),
    field: error.field,
    problem: error.problem,
  };
}

/** A bar for the tree, and then one for the content. */
class StageBar implements Disposable {
  #stage: CheckProgress['stage'] = 'tree';
  #bar: ProgressBar = startProgressBar('Walking the tree', 'entries');

  show({ stage, done, total }: CheckProgress): void {
    if (stage !== this.#stage) {
      this.#bar[Symbol.dispose]();
      this.#stage = stage;
      this.#bar = startProgressBar('Reading files', 'bytes', total);
    }
    this.#bar.update(done, total);
  }

  clear(): void {
    this.#bar.clear();
  }

  [Symbol.dispose](): void {
    this.#bar[Symbol.dispose]();
  }
}
