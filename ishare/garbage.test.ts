import { getHeapStatistics } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { collectGarbage } from './garbage';

test('what nobody holds any more is collected at once', () => {
  const used = () => getHeapStatistics().used_heap_size;
  collectGarbage();
  const before = used();
  let held: object[] | undefined = Array.from({ length: 500_000 }, (_, number) => ({ number }));
  const meanwhile = used();
  expect(held).toHaveLength(500_000);
  held = undefined;
  collectGarbage();
  expect(used() - before).toBeLessThan((meanwhile - before) / 4);
});

test('code that is run elsewhere is not given a way to it', () => {
  collectGarbage();
  expect(runInNewContext('typeof gc')).toBe('undefined');
});
