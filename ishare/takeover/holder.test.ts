import { closeSync, openSync, readlinkSync } from 'node:fs';
import { Descriptor } from '../../linux/descriptor';
import { endHolder, fetchFromHolder, HELD, holderLives, startHolder, type HeldName } from './holder';

const files: Readonly<Record<HeldName, string>> = {
  imagesDevice: '/dev/zero',
  ishareDevice: '/dev/null',
  ishareMount: '/proc/self/status',
};

function opened(): Record<HeldName, Descriptor> {
  const open = (name: HeldName): Descriptor => new Descriptor(openSync(files[name], 'r'), name);
  return {
    imagesDevice: open('imagesDevice'),
    ishareDevice: open('ishareDevice'),
    ishareMount: open('ishareMount'),
  };
}

function numbersOf(given: Record<HeldName, Descriptor>): Record<HeldName, number> {
  return {
    imagesDevice: given.imagesDevice.number,
    ishareDevice: given.ishareDevice.number,
    ishareMount: given.ishareMount.number,
  };
}

async function eventuallyGone(holder: Parameters<typeof holderLives>[0]): Promise<void> {
  const deadline = Date.now() + 5000;
  while ((await holderLives(holder)) && Date.now() < deadline)
    await new Promise((next) => setTimeout(next, 10));
  expect(await holderLives(holder)).toBe(false);
}

test('what a holder keeps is fetched after its giver has closed it', async () => {
  const given = opened();
  const holder = await startHolder(numbersOf(given));
  for (const descriptor of Object.values(given)) descriptor[Symbol.dispose]();
  const fetched = await fetchFromHolder(holder);
  for (const name of Object.keys(HELD) as HeldName[]) {
    const link = readlinkSync(`/proc/self/fd/${fetched![name].number}`);
    expect(link.replace(/\d+/, 'self')).toBe(files[name]);
    fetched![name][Symbol.dispose]();
  }
  await endHolder(holder);
  await eventuallyGone(holder);
  expect(await fetchFromHolder(holder)).toBeUndefined();
  await endHolder(holder);
});

test('a process that has the number of one that ended is not taken for it', async () => {
  const given = opened();
  const holder = await startHolder(numbersOf(given));
  const other = { ...holder, startTime: '1' };
  expect(await holderLives(other)).toBe(false);
  expect(await fetchFromHolder(other)).toBeUndefined();
  await endHolder(other);
  expect(await holderLives(holder)).toBe(true);
  await endHolder(holder);
  await eventuallyGone(holder);
  for (const { number } of Object.values(given)) closeSync(number);
});
