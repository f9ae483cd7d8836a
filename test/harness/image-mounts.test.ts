import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mount, unmount } from '../../linux/mount';
import { readMountTable } from '../../linux/mount-table';
import { WatchedProcess } from '../../linux/process-end';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import { BackgroundMount } from './image-mounts';

const IMAGE = join(__dirname, '..', '..', '..', 'test', 'fixtures', 'erofs', 'bs512.erofs');
/** The lowest free number is the next one; lower ones may be free too, and a mount is not gone at once (ms). */
const PACE = 5;
const ATTEMPTS = 300;

test('a mount that has ended by itself takes nothing away that has its device number since', async () => {
  await using directory = await TemporaryDirectory.create();
  const at = (name: string): string => join(directory.path, name);
  await mkdir(at('image'));
  const targets: string[] = [];
  let number: string;
  {
    await using mounted = await BackgroundMount.start(IMAGE, at('image'));
    const server = await WatchedProcess.find(mounted.report.pid);
    number = mounted.report.device;
    unmount(at('image'));
    expect(await server?.ends(10_000)).not.toBe(false);
    for (let index = 0; index < ATTEMPTS && !(await devicesOf(targets)).includes(number); index++) {
      targets.push(at(`other-${index}`));
      await mkdir(at(`other-${index}`));
      mount('tmpfs', at(`other-${index}`), 'tmpfs', 0, '');
      await sleep(PACE);
    }
  }
  expect(await devicesOf(targets)).toHaveLength(targets.length);
  expect(await devicesOf(targets)).toContain(number);
});

async function devicesOf(targets: readonly string[]): Promise<string[]> {
  return (await readMountTable())
    .filter(({ target }) => targets.includes(target))
    .map(({ device }) => device);
}
