import { parseMountTable } from '../../../linux/mount-table';
import { imagesMountFindings, type ImagesMountLook } from './images-mount';

const mount = (number: number, type = 'fuse.ishare') =>
  parseMountTable(`${number} 1 0:${number} / /s/images ro - ${type} ishare ro\n`);

function told(look: Partial<ImagesMountLook>, running: boolean): string[] {
  const whole: ImagesMountLook = {
    directory: '/s/images',
    mounts: mount(40),
    connection: { minor: 40, servers: [10, 11], waiting: 0 },
    served: true,
    users: [],
    ...look,
  };
  return imagesMountFindings(whole, running).map(
    ({ level, what, repair }) => `${level}: ${what}${repair === undefined ? '' : ' (repair)'}`,
  );
}

const held = { connection: { minor: 40, servers: [11], waiting: 3 }, served: false };
const nobody = { connection: { minor: 40, servers: [], waiting: 0 }, served: false };
const none = { mounts: [], connection: undefined, served: false };

test.each<[string, Partial<ImagesMountLook>, boolean, string[]]>([
  ['served by a daemon', {}, true, ['ok: the images mount is served']],
  ['kept by a holder only', held, false, ['problem: the images mount waits for a daemon']],
  [
    'kept by a holder of a daemon that serves no more',
    held,
    true,
    ['problem: the images mount waits for a daemon'],
  ],
  ['with nobody', nobody, false, ['problem: the images mount is dead (repair)']],
  [
    'with nobody, below a container',
    { ...nobody, users: ['/c'] },
    false,
    ['problem: the images mount is dead'],
  ],
  ['with nobody, though a daemon runs', nobody, true, ['problem: the images mount is dead']],
  ['not there, and no daemon', none, false, []],
  ['not there, though a daemon runs', none, true, ['problem: the images mount is not there']],
  [
    'not there, below a container',
    { ...none, users: ['/c'] },
    false,
    ['problem: the images mount is not there'],
  ],
  [
    'twice there',
    { mounts: [...mount(40), ...mount(41)] },
    true,
    ['ok: the images mount is served', 'problem: several images mounts over each other'],
  ],
  [
    "somebody else's",
    { mounts: mount(40, 'tmpfs') },
    false,
    ['problem: a file system of type tmpfs where the images mount belongs'],
  ],
])('an images mount that is %s', (_what, look, running, expected) => {
  expect(told(look, running)).toEqual(expected);
});

test('what waits is counted', () => {
  const look: ImagesMountLook = { directory: '/s/images', mounts: mount(40), users: ['/c'], ...held };
  expect(imagesMountFindings(look, false)[0]?.why).toContain('3 requests, 1 containers or views use it');
});
