import { getHeapStatistics } from 'node:v8';
import { collectGarbage } from './garbage';

test('what nobody holds any more is collected, and its memory given back', async () => {
  const memory = () => getHeapStatistics().total_physical_size;
  await collectGarbage();
  const before = memory();
  const held = Array.from({ length: 500_000 }, (_, number) => ({ number }));
  const meanwhile = memory();
  expect(held.splice(0)).toHaveLength(500_000);
  await collectGarbage();
  expect(memory() - before).toBeLessThan((meanwhile - before) / 4);
});
