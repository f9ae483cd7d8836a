import { sourcePrefixRecord } from './absent-content';
import { codecNote, type CodecNote } from './codec-note';
import type { CompressionChoice } from './compression-choice';
import { emitMetadata } from './emit';
import { BLOCK_SIZE } from './geometry';
import { GrowingCrew } from './growing-crew';
import { ImageContents, type ContentIntake } from './image-contents';
import { planImage, type ImagePlan } from './image-plan';
import { layOutMetadata, type MetadataLayout } from './layout';
import type { Pace } from './pace';
import { placeIndexes } from './place-indexes';
import { ProgressMeter, type BuildProgress } from './progress';
import { SequentialOutput } from './sequential-output';
import { Spool } from './spool';
import type { DirectoryNode } from './tree';

/** Gives the tree of an image. What it hands over to the intake meanwhile is in the image by then; the rest is read later. */
export type TreeReading = (intake: ContentIntake) => Promise<DirectoryNode>;

export interface WriteOptions {
  readonly readTree: TreeReading;
  readonly choice: CompressionChoice;
  readonly fingerprintName: string;
  /** How many hash and compress. */
  readonly threads: number;
  /** Where temporary files may take room. */
  readonly spoolDirectory: string;
  readonly pace: Pace;
  readonly onProgress: ((progress: BuildProgress) => void) | undefined;
}

export interface WrittenImage {
  readonly plan: ImagePlan;
  readonly layout: MetadataLayout;
  readonly uuid: Buffer;
}

/**
 * Writes an image into a new, empty file, which is open for reading and writing and stays the caller's. First the
 * content of files, each read once, from the second block on: in the order of the tree, or as it comes while the tree is
 * read; then, when it is known what became of them, all metadata behind it; at last the first block. Nothing is synced.
 */
export async function writeImageTo(fd: number, options: WriteOptions): Promise<WrittenImage> {
  const { choice, pace, onProgress } = options;
  const note = codecNote(choice.settings);
  const meter = new ProgressMeter(fd, pace, onProgress);
  using spool = new Spool(options.spoolDirectory);
  const { plan, sharedBlock } = await storeContents(fd, spool, meter, note, options);
  await placeIndexes(plan.inodes, spool, pace);
  const layout = layOutMetadata(plan, sharedBlock);
  const prefixRecords = [plan.fingerprint.prefixRecord];
  if (plan.metadataOnly) prefixRecords.push(sourcePrefixRecord);
  else if (note !== undefined) prefixRecords.push(note.prefixRecord);
  const head = { prefixRecords, settings: choice.settings };
  const uuid = await emitMetadata({ fd, plan, layout, head, spool, meter });
  return { plan, layout, uuid };
}

/** Returns the plan of the tree, whose inodes have their contents, and the block behind all content. */
async function storeContents(
  fd: number,
  spool: Spool,
  meter: ProgressMeter,
  note: CodecNote | undefined,
  { readTree, choice, threads, fingerprintName }: WriteOptions,
): Promise<{ plan: ImagePlan; sharedBlock: number }> {
  const output = new SequentialOutput(fd, BLOCK_SIZE);
  await using crew = new GrowingCrew(threads, choice.settings);
  const contents = new ImageContents({ fd, output, spool, crew, choice, meter });
  const plan = planImage(await readTree(contents), fingerprintName, note);
  await contents.complete(plan.inodes);
  return { plan, sharedBlock: output.position / BLOCK_SIZE };
}
