import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MemoryFileSystem } from '../fuse/testing/memory-file-system';
import { ServedMount } from '../fuse/testing/served-mount';
import { openCachedPath } from '../linux/cached-path';
import { Descriptor } from '../linux/descriptor';
import { LookupProcess } from './lookup-process';

const ASKING = join(__dirname, 'testing/asking-process.js');

interface Place extends AsyncDisposable {
  readonly lookups: LookupProcess;
  readonly mount: Descriptor;
  readonly failures: unknown[];
}

async function place(): Promise<Place> {
  const fileSystem = new MemoryFileSystem();
  const directory = fileSystem.directory(fileSystem.root, 'token');
  for (let index = 0; index < 50; index += 1) fileSystem.file(directory, `digest${index}`, 'content');
  const served = await ServedMount.detached(fileSystem);
  const failures: unknown[] = [];
  const mount = new Descriptor(Number(basename(served.root)), 'mount');
  const lookups = new LookupProcess(mount, { realtime: false, onFailure: (error) => failures.push(error) });
  return {
    lookups,
    mount,
    failures,
    async [Symbol.asyncDispose]() {
      await lookups[Symbol.asyncDispose]();
      mount.release();
      await served[Symbol.asyncDispose]();
    },
  };
}

test('what was asked for can be opened by the thread that serves it', async () => {
  await using at = await place();
  expect(openCachedPath(at.mount.number, 'token/digest0')).toBeUndefined();
  expect(await at.lookups.ask('token/digest0')).toBe(true);
  using file = openCachedPath(at.mount.number, 'token/digest0');
  expect(file).toBeDefined();
});

test('many questions at once are all answered, and a name that is missing is one of them', async () => {
  await using at = await place();
  const names = Array.from({ length: 50 }, (_, index) => `token/digest${index}`);
  expect(await Promise.all([...names, 'token/missing'].map((name) => at.lookups.ask(name)))).toEqual(
    [...names, ''].map(() => true),
  );
  for (const name of names) {
    using file = openCachedPath(at.mount.number, name);
    expect(file).toBeDefined();
  }
});

test('after its end, which is told, another one is started', async () => {
  await using at = await place();
  await at.lookups.ask('token/digest0');
  const children = await readFile(`/proc/self/task/${process.pid}/children`, 'utf8');
  let killed = 0;
  for (const pid of children.trim().split(' ')) {
    const name = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
    if (!name.startsWith('ishare-lookup')) continue;
    process.kill(Number(pid), 'SIGKILL');
    killed += 1;
  }
  expect(killed).toBe(1);
  const answers = await Promise.all([at.lookups.ask('token/digest1'), at.lookups.ask('token/digest2')]);
  if (answers.includes(false)) expect(at.failures).toHaveLength(1);
  expect(await at.lookups.ask('token/digest3')).toBe(true);
});

test('a process that is killed before it has answered its own question ends all the same', async () => {
  const asking = spawn(process.execPath, [ASKING], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(asking.stdout, 'data');
  const gone = once(asking, 'exit');
  asking.kill('SIGKILL');
  expect(await gone).toEqual([null, 'SIGKILL']);
}, 20_000);
