import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../linux/testing/eventually';
import { ContainerHost, ownNamespace, type Container, type Daemon } from '../harness/container-host';
import { makeProbeImages, type ProbeImage } from '../harness/probe-images';
import { holder, PERL, waitUntilHolding } from '../harness/probe-program';
import { LONG } from '../../linux/testing/long-trials';

const place = { namespace: ownNamespace('killed'), snapshotter: 'ishare' };
const KILLS = LONG ? 100 : 10;
const RESTARTS = LONG ? 10 : 2;
/** Between two kills, at most (ms). */
const PAUSE_MS = 600;

/**
 * Reads everything again and again, without what the kernel remembers, until the file $2 is there. Prints a digest over
 * all names and contents for each round.
 */
const READER = String.raw`
cd "$1"
until [ -e "$2" ]; do
  find . -xdev -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
  echo 3 > /proc/sys/vm/drop_caches
done
`;

let host: ContainerHost;
let daemon: Daemon;
let images: readonly [ProbeImage, ProbeImage];

beforeAll(async () => {
  host = await ContainerHost.start({ ishare: { domains: { default: 'one' } } });
  daemon = host.daemon('ishare');
  images = await makeProbeImages(host.directory);
  await host.import(images, place);
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

interface Reading {
  /** Resolves to what was printed on both outputs. */
  readonly done: Promise<{ readonly rounds: string[]; readonly complaints: string }>;
}

function read(container: Container, stop: string): Reading {
  const reader = spawn('sh', ['-c', READER, 'sh', `/proc/${container.pid}/root`, stop], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let complaints = '';
  reader.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  reader.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  return {
    done: once(reader, 'exit').then(() => ({ rounds: output.trim().split('\n'), complaints })),
  };
}

/**
 * Three containers, of which everything is read over and over, go through `disturbance` again and again, and have a program
 * started each time.
 */
async function endure(
  times: number,
  disturbance: (round: number, exec: () => Promise<string>) => Promise<void>,
): Promise<void> {
  const [first, second] = images;
  await host.waitUntilReached('ishare');
  const containers = [
    await host.run(first, place, holder('hold-mapped', [first.shared[0].path])),
    await host.run(second, place, holder('hold-mapped-closed', [second.shared[0].path])),
    await host.run(second, place, holder('hold-open', [second.own[0].path])),
  ];
  await Promise.all(containers.map(({ pid }) => waitUntilHolding(pid)));
  const stop = join(host.directory, 'stop');
  await rm(stop, { force: true });
  const readings = containers.map((container) => read(container, stop));
  let longest = 0;
  for (let round = 0; round < times; round += 1) {
    await sleep(Math.random() * PAUSE_MS);
    const began = performance.now();
    let answer: string | undefined;
    await disturbance(
      round,
      async () => (answer = await containers[round % containers.length]!.exec(PERL, '-e', 'print "here"')),
    );
    expect(answer).toBe('here');
    longest = Math.max(longest, performance.now() - began);
  }
  await writeFile(stop, '');
  for (const { done } of readings) {
    const { rounds, complaints } = await done;
    expect(complaints).toBe('');
    expect(rounds.length).toBeGreaterThan(1);
    expect(new Set(rounds).size).toBe(1);
  }
  process.stderr.write(
    `${times} times; longest until a program was started again: ${longest.toFixed(0)} ms\n`,
  );
  for (const container of containers) await container.remove();
  await eventually('every file is closed', async () => (await daemon.ishare.status()).open_files === 0);
  await host.expectHealthy('ishare');
}

test(
  'containers notice nothing of a daemon that is killed again and again, but a pause',
  () =>
    endure(KILLS, async (_round, exec) => {
      await daemon.snapshotter.crash();
      const program = exec();
      await daemon.snapshotter.restart();
      await program;
    }),
  KILLS * 10_000,
);

test(
  'containers notice nothing of a containerd that is restarted or killed again and again',
  () =>
    endure(RESTARTS, async (round, exec) => {
      if (round % 2 === 0) expect(await host.containerd.stop()).toBe(true);
      else await host.containerd.crash();
      await host.containerd.restart();
      await exec();
    }),
  RESTARTS * 20_000,
);
