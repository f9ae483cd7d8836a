import { RESULT_SCHEMA, type Measurement, type Result } from '../result/result';

const memory = { bench: 'memory-reading', metric: 'page cache', unit: 'bytes', better: 'less' } as const;
const MIB = 1 << 20;

function ofMemory(subject: string, ...mebibytes: number[]): Measurement {
  return { ...memory, case: 'redis', subject, values: mebibytes.map((value) => value * MIB) };
}

function ofScale(x: number, seconds: number): Measurement {
  return {
    ...{ bench: 'scale-engine', case: 'dedup inodes', subject: 'ishare', metric: 'attaching' },
    ...{ unit: 'seconds', better: 'less', x, values: [seconds] },
  };
}

const part = { started: '2026-01-02T03:04:05.000Z', seconds: 1, revision: 'abc1234' } as const;

/** A small result with a table, a limit and a curve; names hold what markup gives a meaning. */
export const SAMPLE: Result = {
  schema: RESULT_SCHEMA,
  started: '2026-01-02T03:04:05.000Z',
  ended: '2026-01-02T03:05:05.000Z',
  quick: true,
  runs: 3,
  machine: {
    processor: 'A <processor> & more',
    processors: 2,
    memoryBytes: 8 * 1024 * MIB,
    kernel: '6.18.0',
    distribution: 'Debian',
    fileSystem: 'ext4',
    load: 0.1,
    readAheadKib: 128,
  },
  versions: { node: 'v20', 'peer "x"': '1 < 2' },
  benches: [
    { name: 'memory-reading', title: 'Memory', method: 'Read & measured.', ...part },
    { name: 'scale-engine', title: 'Scale', method: 'Counted.', ...part },
  ],
  measurements: [
    ofMemory('limit', 150),
    ofMemory('ishare', 160, 161, 170),
    ofMemory('ishare, no domain', 270, 271, 272),
    ofMemory('a <peer>', 80, 80, 80),
    ofScale(1000, 1),
    ofScale(10_000, 10),
    ofScale(100_000, 100),
  ],
  skipped: [{ bench: 'memory-reading', what: 'absent & co', why: 'not <here>' }],
};
