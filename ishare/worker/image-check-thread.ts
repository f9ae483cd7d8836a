import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type {
  ImageCheckMessage,
  ImageCheckProgress,
  ImageCheckResult,
  ImageCheckTask,
} from './image-check-task';

/**
 * Checks an image file on a thread of its own, with little claim to the CPU. Whatever is wrong with the file is the result.
 * Rejects with the signal's reason once the thread has ended.
 */
export async function checkImageFile(
  task: ImageCheckTask,
  onProgress: (progress: ImageCheckProgress) => void,
  signal: AbortSignal,
): Promise<ImageCheckResult> {
  signal.throwIfAborted();
  const worker = new Worker(path.join(__dirname, 'image-check-entry.js'), {
    workerData: task,
    name: 'image-check',
  });
  const onAbort = (): void => worker.postMessage('stop');
  signal.addEventListener('abort', onAbort);
  let result: ImageCheckResult | undefined;
  worker.on('message', (message: ImageCheckMessage) => {
    if (message.kind === 'result') result = message.result;
    else onProgress(message.progress);
  });
  try {
    await ended(worker);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  signal.throwIfAborted();
  if (result === undefined) throw new Error('the thread that checks images ended without a result');
  return result;
}

function ended(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', () => resolve());
  });
}
