import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { makeReadyMade } from '../../ishare/verification/testing/ready-made';
import type { ErrnoName } from '../../linux/errno';
import { LONG } from '../../linux/testing/long-trials';
import { toGrpcFailure } from '../../snapshotter/errors';
import type { UnpackRequest } from '../../snapshotter/layer-unpacking';
import { arm, disarm } from './fault-points';
import { openSnapshots, watchTransactions, type OpenedSnapshots } from './faulty-snapshots';
import { unpackRequest, writeLayerFile } from './layer-file';
import { brokenInvariants, trashEmptied } from './snapshots-invariants';

/** What became of one call in which one operation failed. */
export interface FailedCall {
  readonly call: string;
  readonly point: number;
  /** The operation that failed. */
  readonly operation: string;
  /** Name of the gRPC status, or OK. */
  readonly status: string;
  readonly details: string;
  /** What does not hold afterwards. */
  readonly broken: readonly string[];
  /** Why the same call fails once everything works, or "". */
  readonly again: string;
}

/** A call of the snapshots service; `make` gives it what it needs. The number makes its names unlike all others. */
interface Call {
  readonly make: (opened: OpenedSnapshots, number: number) => Promise<void>;
  readonly run: (opened: OpenedSnapshots, number: number) => Promise<unknown>;
}

const MERGING = 'Prepare on a chain for the first time';

const calls: Readonly<Record<string, Call>> = {
  Prepare: {
    make: () => Promise.resolve(),
    run: ({ snapshots }, number) => snapshots.prepare({ key: `p${number}`, parent: 'base', labels: {} }),
  },
  'Prepare for unpacking': {
    make: () => Promise.resolve(),
    run: ({ snapshots }, number) =>
      snapshots.prepare({ key: `extract-${number} sha256:00`, parent: '', labels: {} }),
  },
  [MERGING]: {
    make: async (opened, number) => {
      await opened.snapshots.prepare({ key: `extract-m${number} sha256:00`, parent: 'base', labels: {} });
      await opened.snapshots.commit({ key: `extract-m${number} sha256:00`, name: `m${number}`, labels: {} });
    },
    run: ({ snapshots }, number) =>
      snapshots.prepare({ key: `above-m${number}`, parent: `m${number}`, labels: {} }),
  },
  View: {
    make: () => Promise.resolve(),
    run: ({ snapshots }, number) => snapshots.view({ key: `v${number}`, parent: 'base', labels: {} }),
  },
  Commit: {
    make: (opened, number) => prepareFiles(opened, `c${number}`),
    run: ({ snapshots }, number) =>
      snapshots.commit({ key: `c${number}`, name: `c${number}-done`, labels: {} }),
  },
  'Unpacking of a layer': {
    make: async ({ snapshots, paths }, number) => {
      const mounts = await snapshots.prepare({ key: `u${number}`, parent: '', labels: {} });
      const layer = writeLayerFile(`${paths.root}-layer.tar`, 'content of a layer'.repeat(1000));
      unpackRequests.set(number, unpackRequest(layer, mounts));
    },
    run: async ({ snapshots }, number) => {
      const request = unpackRequests.get(number);
      if (request !== undefined) await snapshots.unpack(request);
    },
  },
  'Commit of a ready-made image': {
    make: async ({ snapshots, store, paths }, number) => {
      await snapshots.prepare({ key: `r${number}`, parent: '', labels: {} });
      const { id } = store.snapshots.find(`r${number}`) ?? {};
      if (id !== undefined) await makeReadyMade(paths.readyMadeImage(id), { content: 'ready' });
    },
    run: ({ snapshots }, number) =>
      snapshots.commit({ key: `r${number}`, name: `r${number}-done`, labels: {} }),
  },
  'Remove of a committed snapshot': {
    make: async (opened, number) => {
      await prepareFiles(opened, `d${number}`);
      await opened.snapshots.commit({ key: `d${number}`, name: `d${number}-done`, labels: {} });
    },
    run: ({ snapshots }, number) => snapshots.remove(`d${number}-done`),
  },
  'Remove of an active snapshot': {
    make: (opened, number) => prepareFiles(opened, `a${number}`),
    run: ({ snapshots }, number) => snapshots.remove(`a${number}`),
  },
};

const unpackRequests = new Map<number, UnpackRequest>();

async function prepareFiles({ snapshots, store, paths }: OpenedSnapshots, key: string): Promise<void> {
  await snapshots.prepare({ key, parent: '', labels: {} });
  const { id } = store.snapshots.find(key) ?? {};
  if (id === undefined) throw new Error(`${key} was prepared and is not stored`);
  await mkdir(join(paths.upper(id), 'directory'));
  await writeFile(join(paths.upper(id), 'directory', 'content'), 'content');
}

/** What is left of an unpacked layer in the directory of a snapshot, where there is such a snapshot. */
async function unpackedPieces({ store, paths }: OpenedSnapshots, key: string): Promise<string[]> {
  const { id } = store.snapshots.find(key) ?? {};
  if (id === undefined) return [];
  return (await readdir(paths.snapshot(id))).filter((name) => !['fs', 'work'].includes(name));
}

/**
 * A process in which each operation of each call fails once with an error. Arguments: the root directory, the errno name,
 * and `lasting` where all that follows in the call is to fail as well.
 * Prints a line of JSON, a FailedCall, for each.
 */
async function failEverywhere(root: string, fault: ErrnoName, lasting: boolean): Promise<void> {
  const plan = process.env['ISHARE_TEST_FAULTS'] ?? '';
  watchTransactions();
  await using opened = await openSnapshots(root);
  const { snapshots, store, paths } = opened;
  await prepareFiles(opened, 'base-key');
  await snapshots.commit({ key: 'base-key', name: 'base', labels: {} });
  let number = 0;
  for (const [call, { make, run }] of Object.entries(calls)) {
    // It has many steps, which build an image like those of Commit.
    if (call === MERGING && !LONG && (fault !== 'ENOSPC' || lasting)) continue;
    for (let point = 1; ; point += 1) {
      number += 1;
      await make(opened, number);
      await snapshots.cleanup();
      await trashEmptied(paths);
      arm(plan, { point, fault, lasting });
      let failure: unknown;
      await run(opened, number).catch((error: unknown) => (failure = error));
      const operations = disarm(plan);
      await snapshots.cleanup();
      const broken = await brokenInvariants(paths, store);
      // What cannot be removed stays until the next attempt.
      if (failure !== undefined && !lasting) broken.push(...(await unpackedPieces(opened, `u${number}`)));
      let again = '';
      if (failure !== undefined) {
        await run(opened, number).catch((error: unknown) => (again = String(error)));
        await snapshots.cleanup();
        broken.push(...(await brokenInvariants(paths, store)));
      }
      if (operations.length < point) break;
      const { code, details } =
        failure === undefined ? { code: status.OK, details: '' } : toGrpcFailure(failure);
      const operation = operations[point - 1] ?? '';
      const result: FailedCall = { call, point, operation, status: status[code], details, broken, again };
      process.stdout.write(`${JSON.stringify(result)}\n`);
    }
  }
}

const [root = '', fault = '', duration = ''] = process.argv.slice(2);
void failEverywhere(root, fault as ErrnoName, duration === 'lasting');
