import fc from 'fast-check';
import { RecordPages } from './record-pages';

test('a record keeps what was put in it until it is given back', () => {
  // Above 1024 there is more than one page.
  const step = fc.record({ takes: fc.nat(1500), gives: fc.array(fc.nat(), { maxLength: 60 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 5 }), (steps) => {
      const pages = new RecordPages(3);
      const model = new Map<number, number>();
      let last = 0;
      for (const { takes, gives } of steps) {
        for (let time = 0; time < takes; time++) {
          const record = pages.take();
          if (model.has(record)) throw new Error('it is in use');
          model.set(record, ++last);
          pages.set(record, 0, last);
          pages.view(record, 1, 2).fill(last % 251);
        }
        const records = [...model.keys()];
        for (const choice of gives) {
          const record = records[choice % records.length];
          if (record !== undefined && model.delete(record)) pages.giveBack(record);
        }
      }
      const kept = [...model.keys()].map((record) => [pages.get(record, 0), pages.view(record, 1, 2)[15]]);
      expect(kept).toEqual([...model.values()].map((value) => [value, value % 251]));
    }),
    { numRuns: 30 },
  );
});

test('pages go with their last record, and their numbers come again', () => {
  const pages = new RecordPages(2);
  expect(pages.bytes).toBe(0);
  const records = Array.from({ length: 3000 }, () => pages.take());
  const full = pages.bytes;
  for (const record of records.slice(0, 1024)) pages.giveBack(record);
  expect(pages.bytes).toBe((full / 3) * 2);
  expect(() => pages.get(records[0] ?? 0, 0)).toThrow(RangeError);
  for (const record of records.slice(1024)) pages.giveBack(record);
  expect(pages.bytes).toBe(0);
  expect(pages.take()).toBeLessThan(3072);
});
