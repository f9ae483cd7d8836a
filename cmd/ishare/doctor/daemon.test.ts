import type { StatusResponse } from '../../../proto/admin-messages';
import { daemonFindings, daemonRuns, type DaemonLook } from './daemon';

const stopped: DaemonLook = {
  rootUser: undefined,
  stateUser: undefined,
  sockets: [],
  status: undefined,
  silence: 'nobody',
};
const status = { version: '1.2.3', pid: 7 } as StatusResponse;

function told(look: Partial<DaemonLook>): string[] {
  return daemonFindings({ ...stopped, ...look }).map(({ level, what }) => `${level}: ${what}`);
}

test.each<[string, Partial<DaemonLook>, string[]]>([
  ['not there', {}, ['note: no daemon runs']],
  ['there', { rootUser: 7, stateUser: 7, status }, ['ok: ishare-snapshotter 1.2.3 runs and answers']],
  ['silent', { rootUser: 7, stateUser: 7 }, ['problem: the daemon does not answer']],
  [
    'two',
    { rootUser: 7, stateUser: 8, status },
    ['ok: ishare-snapshotter 1.2.3 runs and answers', 'problem: ROOT and STATE are not used by one daemon'],
  ],
  [
    'killed',
    {
      sockets: [
        { path: '/a', state: 'nobody-listens' },
        { path: '/b', state: 'no-socket' },
        { path: '/c', state: 'missing' },
      ],
    },
    [
      'note: no daemon runs',
      'problem: a socket on which nobody listens',
      'problem: something that is no socket',
    ],
  ],
])('a daemon that is %s', (_how, look, expected) => {
  expect(told(look)).toEqual(expected);
});

test('a daemon that holds a lock runs, be it silent', () => {
  expect(daemonRuns(stopped)).toBe(false);
  expect(daemonRuns({ ...stopped, stateUser: 9 })).toBe(true);
});
