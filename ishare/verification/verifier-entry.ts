import { constants, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { ErofsCorruptError } from '../../erofs/errors';
import { ErofsImage } from '../../erofs/image';
import { verifyContents } from './content-verification';
import type { Verdict } from './verdict';
import type { FromVerifier, ToVerifier, VerifierTask } from './verifier-messages';

/** The thread that a Verifier starts for one image. It ends with its verdict, or soon after it was told to stop. */
if (parentPort === null) throw new Error('this file is the entry of a worker thread');
const port = parentPort;
const send = (message: FromVerifier): void => port.postMessage(message);
const { imagePath } = workerData as VerifierTask;
const controller = new AbortController();

// Of this thread alone: Linux has a nice value for each (setpriority(2), "C library/kernel differences").
setPriority(0, constants.priority.PRIORITY_LOW);

port.on('message', (_stop: ToVerifier) => controller.abort());

async function verdict(): Promise<Verdict> {
  try {
    await using image = await ErofsImage.open(imagePath);
    return await verifyContents(image, {
      signal: controller.signal,
      onBatch: (batch) => send({ kind: 'batch', ...batch }),
    });
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { kind: error instanceof ErofsCorruptError ? 'unreadable' : 'failed', problem };
  }
}

void verdict().then((found) => {
  if (!controller.signal.aborted) send({ kind: 'verdict', verdict: found });
  // With nothing left to listen to the thread ends by itself.
  port.close();
});
