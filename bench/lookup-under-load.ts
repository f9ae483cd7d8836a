import { execFileSync, spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { Command } from 'commander';
import { connectSnapshots, type SnapshotsClient } from '../proto/snapshots';
import { PrivateContainerd } from '../scripts/containerd/private-containerd';
import { PrivateSnapshotter } from '../scripts/containerd/private-snapshotter';
import type { LayerEntry } from '../scripts/oci/layer-source';
import { writeOciArchive } from '../scripts/oci/oci-archive';
import { TemporaryDirectory } from '../scripts/process/temporary-directory';

/**
 * How long a cold LOOKUP takes while containers start all at once and a large layer is committed, against the same on
 * a machine that does nothing else. As root:
 *
 *   node dist/bench/lookup-under-load.js --containers 100 --images 10 --layer-mib 1024
 */

const DIRECTORIES = 20;
const FILES_EACH = 50;
const IDLE_ROUNDS = 3;
const RUN_LIMIT = 300_000;
const NAMESPACE = 'lookup-under-load';

interface Options {
  readonly containers: string;
  readonly images: string;
  readonly layerMib: string;
}

interface Figures {
  readonly rounds: number;
  readonly p50: number;
  readonly p99: number;
}

function figures(rounds: readonly (readonly number[])[]): Figures {
  const sorted = rounds.flat().sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? NaN;
  return { rounds: rounds.length, p50: at(0.5), p99: at(0.99) };
}

/** What lookup-latency-client.ts prints: times in microseconds. */
interface Round {
  readonly lookups: readonly number[];
  readonly echoes: readonly number[];
}

/** One round over all files, each looked up for the first time since the kernel forgot it. */
async function round(directory: string, list: string): Promise<Round> {
  const fifos = ['there', 'back'].map((name) => join(directory, name));
  for (const fifo of fifos) await rm(fifo, { force: true });
  execFileSync('mkfifo', fifos);
  await writeFile('/proc/sys/vm/drop_caches', '2');
  const client = spawn(process.execPath, [join(__dirname, 'lookup-latency-client.js'), list, ...fifos], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(await text(client.stdout)) as Round;
}

function ask<Request, Answer>(
  method: (
    request: Request,
    options: object,
    callback: (error: ServiceError | null, answer?: Answer) => void,
  ) => unknown,
  request: Request,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    method(request, {}, (error, answer) => {
      if (error === null && answer !== undefined) resolve(answer);
      else reject(error ?? new Error('no answer'));
    });
  });
}

/** A snapshot that its layer is to be written into: its key and its directory. */
async function prepare(client: SnapshotsClient, name: string): Promise<{ key: string; directory: string }> {
  const key = `${NAMESPACE}/1/${name}`;
  const request = { snapshotter: '', key, parent: '', labels: {} };
  const { mounts } = await ask(client.Prepare.bind(client), request);
  return { key, directory: mounts[0]?.source ?? '' };
}

async function commit(client: SnapshotsClient, name: string, key: string): Promise<void> {
  const request = { snapshotter: '', name, key, labels: {}, parent: '' };
  await ask(client.Commit.bind(client), request);
}

/** Commits a layer of many small files, and gives the paths under which the images mount shows them, in random order. */
async function filesToLookUp(client: SnapshotsClient): Promise<string[]> {
  const { key, directory } = await prepare(client, 'files');
  const names: string[] = [];
  for (let outer = 0; outer < DIRECTORIES; outer += 1) {
    await mkdir(join(directory, `d${outer}`));
    for (let inner = 0; inner < FILES_EACH; inner += 1) {
      names.push(join(`d${outer}`, `file-${inner}`));
      await writeFile(join(directory, `d${outer}`, `file-${inner}`), `${outer} ${inner}`);
    }
  }
  await commit(client, 'files', key);
  const request = { snapshotter: '', key: `${NAMESPACE}/2/view`, parent: 'files', labels: {} };
  const { mounts } = await ask(client.View.bind(client), request);
  const root = mounts[0]?.source ?? '';
  // Multiplying by a number prime to their count goes through all of them without an order that read-ahead could use.
  return names.map((_, index) => join(root, names[(index * 1009) % names.length] ?? ''));
}

async function makeImages(
  directory: string,
  count: number,
): Promise<{ reference: string; archive: string }[]> {
  const content = await readFile('/bin/busybox');
  const images = [];
  for (let index = 0; index < count; index += 1) {
    const entries: LayerEntry[] = [
      ...['bin', 'dev', 'etc', 'proc', 'run', 'sys', 'tmp'].map((path): LayerEntry => ({
        path,
        type: 'directory',
        modifiedSeconds: index,
      })),
      { path: 'bin/busybox', type: 'file', content, mode: 0o755 },
      { path: 'bin/sleep', type: 'symlink', target: 'busybox' },
    ];
    const { reference, archive } = await writeOciArchive(
      {
        reference: `bench.local/crowd:${index}`,
        layers: [{ entries }],
        config: { entrypoint: ['/bin/sleep', '1000000'] },
        compression: 'none',
      },
      join(directory, `crowd-${index}.tar`),
    );
    images.push({ reference, archive });
  }
  return images;
}

async function writeNoise(path: string, mib: number): Promise<void> {
  await using file = await open(path, 'w');
  const piece = randomFillSync(Buffer.alloc(2 ** 20));
  for (let written = 0; written < mib; written += 1) {
    piece.writeUInt32LE(written, 0);
    await file.write(piece);
  }
}

async function main({ containers, images: imageCount, layerMib }: Options): Promise<void> {
  await using scratch = await TemporaryDirectory.create('ishare-lookup');
  await using daemon = await PrivateSnapshotter.start({
    directory: join(scratch.path, 'ishare'),
    configuration: '[domains]\ndefault = "one"\n[build]\nencoder = "zstd"\n',
  });
  await using containerd = await PrivateContainerd.start({
    directory: join(scratch.path, 'c'),
    proxies: [{ name: 'ishare', socket: daemon.socket, erofsLayers: false }],
  });
  const client = connectSnapshots(`unix:${daemon.socket}`, credentials.createInsecure());
  try {
    const list = join(scratch.path, 'files.json');
    await writeFile(list, JSON.stringify(await filesToLookUp(client)));
    const place = { namespace: NAMESPACE, snapshotter: 'ishare', timeLimit: RUN_LIMIT };
    const images = await makeImages(scratch.path, Number(imageCount));
    for (const { archive } of images) await containerd.import(archive, place);
    const large = await prepare(client, 'large');
    await writeNoise(join(large.directory, 'large'), Number(layerMib));

    const idle: Round[] = [];
    for (let rounds = 0; rounds < IDLE_ROUNDS; rounds += 1) idle.push(await round(scratch.path, list));

    const load = new AbortController();
    const began = performance.now();
    const starts = Array.from({ length: Number(containers) }, (_, index) =>
      containerd.run(images[index % images.length]?.reference ?? '', `c${index}`, place),
    );
    const done = Promise.all([commit(client, 'large', large.key), ...starts]).finally(() => load.abort());
    const busy: Round[] = [];
    while (!load.signal.aborted) busy.push(await round(scratch.path, list));
    await done;
    const seconds = (performance.now() - began) / 1000;

    for (const what of ['lookups', 'echoes'] as const) {
      const atRest = figures(idle.map((times) => times[what]));
      const underLoad = figures(busy.map((times) => times[what]));
      print(what, 'at rest', atRest);
      print(what, 'under load', underLoad);
      console.log(
        `${what.padEnd(8)} p99 under load is ${(underLoad.p99 / atRest.p99).toFixed(2)} times that at rest`,
      );
    }
    console.log(
      `${containers} containers and a layer of ${layerMib} MiB took ${seconds.toFixed(1)} s on ${availableParallelism()} processors`,
    );
  } finally {
    client.close();
  }
}

function print(what: string, when: string, { rounds, p50, p99 }: Figures): void {
  console.log(
    `${what.padEnd(8)} ${when.padEnd(10)} p50 ${p50.toFixed(0)} us, p99 ${p99.toFixed(0)} us (${rounds} rounds of ${DIRECTORIES * FILES_EACH})`,
  );
}

void new Command('lookup-under-load')
  .option('--containers <n>', 'that start at once', '100')
  .option('--images <n>', 'that they are from', '10')
  .option('--layer-mib <n>', 'size of the layer that is committed meanwhile', '1024')
  .action(main)
  .parseAsync();
