import { SlowWork } from './slow-work';

interface Job {
  readonly name: string;
}

let told: string[];
let watch: SlowWork<Job>;

beforeEach(() => {
  jest.useFakeTimers();
  told = [];
  watch = new SlowWork({
    thresholdMs: ({ name }) => (name === 'patient' ? 1000 : 100),
    paceMs: 25,
    onSlow: ({ name }, ageMs) => told.push(`${name} slow at ${ageMs}`),
    onEnd: ({ name }, ageMs) => told.push(`${name} ended at ${ageMs}`),
  });
});

afterEach(() => {
  watch[Symbol.dispose]();
  jest.useRealTimers();
});

test('what takes too long is told once, and its end', () => {
  const job = { name: 'job' };
  watch.began(job);
  jest.advanceTimersByTime(99);
  expect(told).toEqual([]);
  jest.advanceTimersByTime(500);
  expect(told).toEqual(['job slow at 100']);
  expect([watch.noticed, watch.slow]).toEqual([1, 1]);
  watch.ended(job);
  expect(told).toEqual(['job slow at 100', 'job ended at 599']);
  expect([watch.noticed, watch.slow]).toEqual([1, 0]);
});

test('each piece of work has its own threshold', () => {
  watch.began({ name: 'patient' });
  watch.began({ name: 'other' });
  jest.advanceTimersByTime(900);
  expect(told).toEqual(['other slow at 100']);
  jest.advanceTimersByTime(100);
  expect(told).toEqual(['other slow at 100', 'patient slow at 1000']);
});

test('what ends in time is not told, and what never began is no matter', () => {
  const job = { name: 'job' };
  watch.began(job);
  jest.advanceTimersByTime(90);
  watch.ended(job);
  watch.ended({ name: 'unknown' });
  jest.advanceTimersByTime(1000);
  expect(told).toEqual([]);
  expect(watch.noticed).toBe(0);
});

test('any amount of work takes one timer, and none is left when there is no work', () => {
  const jobs = Array.from({ length: 1000 }, (_, index) => ({ name: `job ${index}` }));
  for (const job of jobs) watch.began(job);
  expect(jest.getTimerCount()).toBe(1);
  jest.advanceTimersByTime(50);
  expect(jest.getTimerCount()).toBe(1);
  for (const job of jobs) watch.ended(job);
  jest.advanceTimersByTime(25);
  expect(jest.getTimerCount()).toBe(0);
  watch.began({ name: 'later' });
  jest.advanceTimersByTime(100);
  expect(told).toEqual(['later slow at 100']);
});

test('what is under way is listed in the order in which it began', () => {
  const [first, second, third] = [{ name: 'first' }, { name: 'second' }, { name: 'third' }];
  for (const job of [first, second, third]) watch.began(job);
  watch.ended(second);
  expect([...watch.underWay()]).toEqual([first, third]);
});

test('after it was disposed of, nothing is looked at, and work may still end', () => {
  const job = { name: 'job' };
  watch.began(job);
  watch[Symbol.dispose]();
  expect(jest.getTimerCount()).toBe(0);
  jest.advanceTimersByTime(1000);
  watch.ended(job);
  expect(told).toEqual([]);
});
