import { codecNote } from './codec-note';
import type { CompressionChoice } from './compression-choice';
import { startCrew } from './content-crew';
import { BATCH_SIZE } from './content-task';
import { ContentStore } from './content-store';
import { emitMetadata } from './emit';
import { BLOCK_SIZE } from './geometry';
import { planImage, type ImagePlan } from './image-plan';
import { layOutMetadata, type MetadataLayout } from './layout';
import type { Pace } from './pace';
import { ProgressMeter, type BuildProgress } from './progress';
import { SequentialOutput } from './sequential-output';
import { Spool } from './spool';
import type { DirectoryNode } from './tree';

export interface WriteOptions {
  readonly root: DirectoryNode;
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

/** Content below this is done with sooner than threads have started (bytes). */
const CONTENT_FOR_THREADS = 2 * BATCH_SIZE;

/**
 * Writes an image into a new, empty file, which is open for reading and writing and stays the caller's. First the
 * content of files, each read once, in the order of the tree, from the second block on; then, when it is known what
 * became of them, all metadata behind it; at last the first block. Nothing is synced.
 */
export async function writeImageTo(fd: number, options: WriteOptions): Promise<WrittenImage> {
  const { choice, pace, onProgress } = options;
  const note = codecNote(choice.settings);
  const plan = planImage(options.root, options.fingerprintName, note);
  const meter = new ProgressMeter(fd, plan.inodes, pace, onProgress);
  using spool = new Spool(options.spoolDirectory);
  const sharedBlock = await storeContents(fd, plan, spool, meter, options);
  const layout = layOutMetadata(plan, sharedBlock);
  const prefixRecords = [plan.fingerprint.prefixRecord];
  if (note !== undefined) prefixRecords.push(note.prefixRecord);
  const head = { prefixRecords, settings: choice.settings };
  const uuid = await emitMetadata({ fd, plan, layout, head, spool, meter });
  return { plan, layout, uuid };
}

/** Returns the block behind all content. */
async function storeContents(
  fd: number,
  { inodes }: ImagePlan,
  spool: Spool,
  meter: ProgressMeter,
  { choice, threads }: WriteOptions,
): Promise<number> {
  const output = new SequentialOutput(fd, BLOCK_SIZE);
  await using crew = startCrew(meter.totalBytes < CONTENT_FOR_THREADS ? 1 : threads, choice.settings);
  const store = new ContentStore(output, spool, crew, choice, meter);
  for (const inode of inodes) {
    const { node } = inode;
    if (node.kind === 'file' && inode.size > 0) await store.add(inode, node.content);
  }
  await store.finish();
  output.flush();
  meter.report();
  return output.position / BLOCK_SIZE;
}
