import { getHeapStatistics } from 'node:v8';
import { shrinkHeap } from '../shrink-heap';

/** Prints how much more memory the heap has with many objects than before (bytes), and then without them. */
async function main(): Promise<void> {
  const memory = (): number => getHeapStatistics().total_physical_size;
  await shrinkHeap();
  const before = memory();
  const held = Array.from({ length: 500_000 }, (_, number) => ({ number }));
  const meanwhile = memory();
  held.splice(0);
  await shrinkHeap();
  console.log(JSON.stringify({ held: meanwhile - before, left: memory() - before }));
}

void main();
