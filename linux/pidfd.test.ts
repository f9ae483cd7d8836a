import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readlinkSync } from 'node:fs';
import { copyDescriptor, openProcess } from './pidfd';

test('a descriptor of a child is copied, and means the same open file', async () => {
  const file = openSync('/dev/zero', 'r');
  const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', file] });
  try {
    using process = openProcess(child.pid!);
    using copy = copyDescriptor(process, 3);
    expect(readlinkSync(`/proc/self/fd/${copy.number}`)).toBe('/dev/zero');
    expect(fstatSync(copy.number).rdev).toBe(fstatSync(file).rdev);
    expect(() => copyDescriptor(process, 4711)).toThrow(/EBADF.*descriptor 4711|descriptor 4711.*EBADF/);
  } finally {
    closeSync(file);
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

test('a process that is not there is told by name', () => {
  expect(() => openProcess(0x3fffffff)).toThrow(/ESRCH/);
});
