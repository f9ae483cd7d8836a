import { parentPort, workerData } from 'node:worker_threads';
import { digestUnits } from './unit-digests';
import type { HashOrder } from './unit-hasher';

/** The thread that a UnitHasher starts: hashes what lies in the memory that both have. */
if (parentPort === null) throw new Error('this file is the entry of a worker thread');
const port = parentPort;
const memory = workerData as SharedArrayBuffer;

port.on('message', (order: HashOrder | 'close') => {
  if (order === 'close') {
    port.close();
  } else {
    port.postMessage(digestUnits(Buffer.from(memory, order.offset, order.length), order.unitSize));
  }
});
