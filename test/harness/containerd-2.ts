import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';

/** Directory of a containerd 2.x for tests of what 1.x cannot do; undefined where there is none. */
export function containerd2(): string | undefined {
  return [process.env['ISHARE_TEST_CONTAINERD_2_BIN'], process.env['ISHARE_TEST_CONTAINERD_BIN']].find(
    (directory) => directory !== undefined && directory !== '' && isVersion2(join(directory, 'containerd')),
  );
}

function isVersion2(containerd: string): boolean {
  if (!existsSync(containerd)) return false;
  return / v?2\.\d/.test(execFileSync(containerd, ['--version'], { encoding: 'utf8', timeout: 10_000 }));
}
