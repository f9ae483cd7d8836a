import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { mount, unmount } from '../../linux/mount';
import { overlaysAbove } from './overlays-above';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'ishare-mounts-'));
  for (const name of ['images/lower', 'root/upper', 'root/work', 'target', 'elsewhere'])
    await mkdir(path.join(directory, name), { recursive: true });
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

test('an overlay is found by its lower and by its upper directory', async () => {
  const at = (name: string): string => path.join(directory, name);
  const options = `lowerdir=${at('images/lower')},upperdir=${at('root/upper')},workdir=${at('root/work')}`;
  mount('overlay', at('target'), 'overlay', 0, options);
  try {
    for (const name of ['images', 'root']) expect(await overlaysAbove([at(name)])).toEqual([at('target')]);
    expect(await overlaysAbove([at('elsewhere'), at('im')])).toEqual([]);
  } finally {
    unmount(at('target'));
  }
});
