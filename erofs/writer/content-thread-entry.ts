import { parentPort, workerData } from 'node:worker_threads';
import type { ContentThreadData } from './content-crew';
import { ContentWork, type ContentResult, type ContentTask } from './content-task';

/** The thread that a ContentCrew starts: does its tasks one after another. An error ends it, and reaches the crew. */
if (parentPort === null) throw new Error('this file is the entry of a worker thread');
const port = parentPort;
const { settings, stop } = workerData as ContentThreadData;
const work = new ContentWork(settings);

port.on('message', (task: ContentTask | 'close') => {
  if (task === 'close') {
    work[Symbol.dispose]();
    port.close();
  } else if (Atomics.load(stop, 0) === 0) {
    const result: ContentResult = work.perform(task);
    port.postMessage(result);
  }
});
