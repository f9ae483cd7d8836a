import { constants, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { checkImage } from '../../erofs/check/image-check';
import { verifyImageFile } from '../../erofs/digests/image-verification';
import { ErofsCorruptError, ErofsError } from '../../erofs/errors';
import { ErofsImage } from '../../erofs/image';
import { errorCode } from '../../linux/errno';
import type {
  ImageCheckMessage,
  ImageCheckProgress,
  ImageCheckResult,
  ImageCheckTask,
} from './image-check-task';

/** Problems that are told; an image may have any number. */
const TOLD_MAX = 20;
/** Between two messages (ms). */
const PROGRESS_INTERVAL = 100;

if (parentPort === null) throw new Error('this file runs as a worker thread');
const port = parentPort;
const task = workerData as ImageCheckTask;
const send = (message: ImageCheckMessage): void => port.postMessage(message);

/** Any message asks for the end. */
const stopped = new AbortController();
port.once('message', () => stopped.abort());

/** What was found so far. */
const problems: string[] = [];
let count = 0;
let damaged = false;

function tell(problem: string, isDamage: boolean): void {
  count += 1;
  if (problems.length < TOLD_MAX) problems.push(problem);
  damaged ||= isDamage;
}

let lastProgress = 0;

function progress(now: ImageCheckProgress): void {
  stopped.signal.throwIfAborted();
  if (performance.now() - lastProgress < PROGRESS_INTERVAL) return;
  lastProgress = performance.now();
  send({ kind: 'progress', progress: now });
}

async function compare(digests: NonNullable<ImageCheckTask['digests']>): Promise<void> {
  const found = await verifyImageFile(task.path, digests, {
    signal: stopped.signal,
    onProgress: ({ bytes, totalBytes }) => progress({ done: bytes, total: totalBytes }),
  });
  if (found.fileLength !== found.recordedLength)
    tell(`has ${found.fileLength} bytes, ${found.recordedLength} were recorded`, true);
  for (const offset of found.wrong)
    tell(`the ${found.unitSize} bytes at ${offset} are not what was recorded`, true);
  count += found.wrongUnits - found.wrong.length;
}

async function decode(): Promise<void> {
  await using image = await ErofsImage.open(task.path);
  const findings = checkImage(image, ({ stage, done, total }) => {
    progress(stage === 'content' ? { done, total } : { done: 0, total: 0 });
  });
  for await (const { error } of findings) {
    const claim = error.field === 'fingerprint' && !task.believed;
    tell(error.message, error instanceof ErofsCorruptError && !claim);
  }
}

async function run(): Promise<ImageCheckResult> {
  try {
    await (task.digests === undefined ? decode() : compare(task.digests));
  } catch (error) {
    if (stopped.signal.aborted) throw error;
    if (!(error instanceof ErofsError) && errorCode(error) === undefined) throw error;
    tell((error as Error).message, error instanceof ErofsCorruptError || isLoss(error));
  }
  return { problems, count, damaged };
}

/** The file is gone, something else is in its place, or the disk cannot read it. */
function isLoss(error: unknown): boolean {
  return ['ENOENT', 'EISDIR', 'EIO'].includes(errorCode(error) ?? '');
}

// On Linux it is of this thread alone (setpriority(2), "C library/kernel differences").
setPriority(constants.priority.PRIORITY_LOW);
void run()
  .then((result) => send({ kind: 'result', result }))
  .finally(() => port.close());
