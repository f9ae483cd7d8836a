import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { returnLargeBlocks } from '../linux/large-blocks';
import { buildImage } from './build';
import { packError, type BuildOrder, type FromWorker, type ToWorker } from './build-messages';
import { collectGarbage } from './collect-garbage';

/** The thread that ImageBuilder starts: builds what it is told to, one image at a time. */
if (parentPort === null) throw new Error('this file is the entry of a worker thread');
const port = parentPort;

// Requests are answered first, where both want a processor. It is of this thread and of those that it starts alone
// (setpriority(2), "C library/kernel differences").
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

// Batches of content are such blocks, and so are digest tables.
returnLargeBlocks();

// What loading the modules has left. Until V8 has done this once, it lets the heap grow far.
collectGarbage();

let current: AbortController | undefined;

port.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'build':
      void run(message.order);
      break;
    case 'abort':
      current?.abort();
      break;
  }
});

/** Never rejects: what goes wrong is the answer. */
async function run(order: BuildOrder): Promise<void> {
  const controller = new AbortController();
  current = controller;
  let answer: FromWorker;
  try {
    const result = await buildImage({
      ...order,
      signal: controller.signal,
      onProgress: (progress) => send({ kind: 'progress', progress }),
    });
    answer = { kind: 'done', result };
  } catch (error) {
    answer = { kind: 'failed', error: packError(error) };
  }
  current = undefined;
  send(answer);
  // A thread that rests would keep all of it. Whoever waits for the answer does not wait for this.
  setImmediate(collectGarbage);
}

function send(message: FromWorker): void {
  port.postMessage(message);
}
