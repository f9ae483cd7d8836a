import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, createWriteStream, openSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ScratchDirectory } from '../testing/scratch-directory';
import { END, member } from './testing/craft-tar';
import { ReadLayer } from './testing/read-layer';
import type { ProgramReport } from './testing/read-program';
import { LONG } from '../../../linux/testing/long-trials';

const MIB = 1024 * 1024;
const program = join(__dirname, 'testing', 'read-program.js');
jest.setTimeout(LONG ? 600_000 : 60_000);

const layer = Buffer.concat([member({ name: 'a' }, 'x'.repeat(2000)), member({ name: 'b' }, 'y'), END]);

function report(output: string): ProgramReport {
  return JSON.parse(output) as ProgramReport;
}

/** Runs a shell command that reads a tar with `$READ PATH`. */
function shell(scratch: ScratchDirectory, command: string): ProgramReport {
  const read = `"${process.execPath}" "${program}"`;
  const script = command.replaceAll('$READ', read);
  return report(
    execFileSync('bash', ['-euc', script], { cwd: scratch.path, encoding: 'utf8', timeout: 120_000 }),
  );
}

describe('a tar may come', () => {
  const whole = { names: ['a', 'b'], spooled: 2001 };

  test('through a fifo, from somebody who writes slowly', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell('mkfifo fifo');
    const reading = ReadLayer.of({ tar: scratch.join('fifo') });
    const writer = createWriteStream(scratch.join('fifo'));
    const packed = gzipSync(layer);
    for (let at = 0; at < packed.length; at += 20) {
      await new Promise((resolve) => writer.write(packed.subarray(at, at + 20), resolve));
    }
    writer.end();
    await finished(writer);
    using read = await reading;
    expect(read.paths).toEqual(['a', 'b']);
  });

  test('through a pipe, a socket or a file that is standard input', () => {
    using scratch = new ScratchDirectory();
    writeFileSync(scratch.join('layer.tar'), layer);
    expect(shell(scratch, 'cat layer.tar | $READ /dev/stdin')).toMatchObject(whole);
    expect(shell(scratch, '$READ /dev/fd/0 < layer.tar')).toMatchObject(whole);
    expect(shell(scratch, '(head -c 2560 > /dev/null; $READ /proc/self/fd/0) < layer.tar')).toMatchObject({
      names: ['b'],
    });
    // Node gives its children sockets.
    const { stdout } = spawnSync(process.execPath, [program, '/dev/stdin'], {
      input: layer,
      encoding: 'utf8',
    });
    expect(report(stdout)).toMatchObject(whole);
  });
});

describe('memory does not grow with the size of contents', () => {
  test.each([
    ['plain', 'cat', LONG ? 2000 : 300],
    ['gzip', 'gzip -1', LONG ? 2000 : 150],
    ['zstd', 'zstd -q -1', LONG ? 2000 : 150],
  ])('%s, through a fifo', (_, compress, size) => {
    using scratch = new ScratchDirectory();
    scratch.shell('mkdir source; mkfifo fifo');
    scratch.shell(`truncate -s ${size}M source/zeros; head -c 20M /dev/urandom > source/noise`);
    const read = shell(scratch, `(tar -c -C source . | ${compress} > fifo) & $READ fifo; wait`);
    expect(read.spooled).toBe((size + 20) * MIB);
    expect(read.growth).toBeLessThan(100 * MIB);
  });
});

describe('an abort ends the reading at once', () => {
  function openDescriptors(directory: string): string[] {
    const found: string[] = [];
    for (const fd of readdirSync('/proc/self/fd')) {
      try {
        found.push(readlinkSync(`/proc/self/fd/${fd}`));
      } catch {
        // The descriptor of this very listing is closed again.
      }
    }
    return found.filter((target) => target.startsWith(directory));
  }

  test.each([
    ['nobody writes', undefined],
    ['a header is not whole', layer.subarray(0, 100)],
    ['content is missing', layer.subarray(0, 1000)],
    ['compressed bytes are missing', gzipSync(layer).subarray(0, 30)],
  ])('where %s', async (_, written) => {
    using scratch = new ScratchDirectory();
    scratch.shell('mkfifo fifo');
    const controller = new AbortController();
    const reading = ReadLayer.of({ tar: scratch.join('fifo') }, { signal: controller.signal });
    const writer = written === undefined ? undefined : openSync(scratch.join('fifo'), 'w');
    if (writer !== undefined && written !== undefined) writeFileSync(writer, written);
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 50);
    await expect(reading).rejects.toBe(reason);
    if (writer !== undefined) closeSync(writer);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(openDescriptors(scratch.path)).toEqual([]);
  });

  test('before it began', async () => {
    const reason = new Error('never');
    const reading = ReadLayer.of({ tar: '/nonexistent' }, { signal: AbortSignal.abort(reason) });
    await expect(reading).rejects.toBe(reason);
  });
});

test('whoever writes to a fifo can finish, also what is behind the end of the tar', async () => {
  using scratch = new ScratchDirectory();
  scratch.shell('mkfifo fifo');
  const writer = spawn('bash', ['-c', `(cat; head -c 3M /dev/zero) > ${scratch.join('fifo')}`]);
  const exited = new Promise((resolve) => writer.on('exit', resolve));
  writer.stdin.end(layer);
  using read = await ReadLayer.of({ tar: scratch.join('fifo') });
  expect(read.paths).toEqual(['a', 'b']);
  expect(await exited).toBe(0);
});

test('a directory is no tar', async () => {
  await expect(ReadLayer.of({ tar: '/usr' })).rejects.toThrow('/usr: is a directory, where a tar should be');
});

test('a file that is not there is named', async () => {
  await expect(ReadLayer.of({ tar: '/nonexistent/layer.tar' })).rejects.toThrow('/nonexistent/layer.tar');
});
