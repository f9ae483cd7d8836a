import type { BuildState } from '../../proto/admin-messages';
import { buildLines } from './build-lines';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

function build(fields: Partial<BuildState>): BuildState {
  return {
    ...{ key: 'key', name: 'layer', running: true, seconds: 1, stage: 'writing', rate: 2 ** 20 },
    ...{ inodes: 0, total_inodes: 0, bytes: 2 ** 20, total_bytes: 2 ** 22 },
    ...fields,
  };
}

test('a line says which layer it is, how far it is and how fast', () => {
  expect(buildLines([build({ name: DIGEST, stage: 'reading' })], 1)).toEqual([
    'sha256:0123456789ab: 1.0 MiB of 4.0 MiB (25 %) read, 1.0 MiB/s',
  ]);
  expect(buildLines([build({ total_bytes: 0, rate: 0.4 })], 1)).toEqual(['layer: 1.0 MiB written, 0 B/s']);
  expect(buildLines([build({ stage: '' })], 1)).toEqual(['layer: begins']);
});

test('those that wait have none, and of many the first are shown', () => {
  const builds = [
    build({ name: 'a' }),
    build({ running: false }),
    build({ name: 'b' }),
    build({ name: 'c' }),
  ];
  expect(buildLines(builds, 1)).toEqual([expect.stringMatching(/^a: /), 'and 2 more']);
});
