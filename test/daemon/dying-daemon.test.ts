import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDying } from '../../linux/process-stat';
import { eventually } from '../../linux/testing/eventually';
import { abortFuseConnection } from '../../scripts/containerd/fuse-connections';
import { DaemonPlace } from './daemon-place';

const DYING = join(__dirname, '../harness/dying-process.js');

test('a daemon starts after one that was killed and cannot end, because it waits for its own answer', async () => {
  await using place = await DaemonPlace.create();
  const { root, state, address, 'admin-address': admin } = place.flags;
  for (const directory of [root, state, dirname(address)]) await mkdir(directory, { recursive: true });
  const dying = spawn(
    process.execPath,
    [DYING, join(root, 'lock'), join(state, 'lock'), '--', address, admin],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const pid = dying.pid!;
  const gone = once(dying, 'exit');
  let connection: string | undefined;
  try {
    [connection] = (await once(dying.stdout, 'data')).map((said: Buffer) => said.toString().trim());
    expect((await place.refusal()).stderr).toContain('another ishare-snapshotter uses');
    dying.kill('SIGKILL');
    await eventually('it is dying', () => Promise.resolve(isDying(pid)));
    const daemon = place.launch();
    await eventually('the next one is ready', async () =>
      (await readFile(daemon.logFile, 'utf8')).includes('"ready"'),
    );
    expect(isDying(pid)).toBe(true);
    expect((await place.refusal()).stderr).toContain('another ishare-snapshotter uses');
  } finally {
    dying.kill('SIGKILL');
    if (connection !== undefined) await abortFuseConnection(`0:${connection}`);
    await gone;
  }
}, 60_000);
