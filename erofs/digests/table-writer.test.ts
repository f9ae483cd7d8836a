import { closeSync, openSync } from 'node:fs';
import { Pace } from '../writer/pace';
import { ScratchDirectory } from '../writer/testing/scratch-directory';
import { makeDigestTable, writeDigestTable } from './table-writer';

test('the making of a table is called off by a signal', async () => {
  using scratch = new ScratchDirectory();
  // Long enough for a breath: hashing it takes a fifth of a second on a fast machine.
  scratch.shell('truncate -s 400M image');
  const fd = openSync(scratch.join('image'), 'r');
  const reason = new Error('enough');
  try {
    await expect(makeDigestTable(fd, new Pace(AbortSignal.abort(reason)))).rejects.toBe(reason);
  } finally {
    closeSync(fd);
  }
});

test('a table is written into a new file only', () => {
  using scratch = new ScratchDirectory();
  scratch.shell('echo something > there');
  expect(() => writeDigestTable(scratch.join('there'), Buffer.alloc(32))).toThrow(
    expect.objectContaining({ code: 'EEXIST' }) as Error,
  );
});
