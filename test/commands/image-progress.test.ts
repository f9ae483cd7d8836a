import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { systemMkfs } from '../../erofs/testing/erofs-utils';
import { TemporaryDirectory } from '../erofs/temporary-directory';
import { imageCommand, ISHARE } from '../harness/image-command';

const PLAIN = resolve('test/fixtures/erofs/plain-fp.erofs');
const CTRL_C = '\u0003';
/** To the first column, and the line erased: the last thing that a bar does. */
const ERASED = '\u001b[1G\u001b[2K';

/**
 * Runs `ishare image` on a terminal (script(1) makes one) and gives what appears there. Once `interruptAt` has appeared,
 * Ctrl-C is pressed.
 */
async function onTerminal(
  words: readonly string[],
  interruptAt?: string,
): Promise<{ exitCode: number | null; screen: string }> {
  const command = [ISHARE, 'image', ...words].join(' ');
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 40_000,
    killSignal: 'SIGKILL',
  });
  let screen = '';
  let pressed = false;
  child.stdout.on('data', (text: Buffer) => {
    screen += text.toString();
    if (pressed || interruptAt === undefined || !screen.includes(interruptAt)) return;
    pressed = true;
    child.stdin.write(CTRL_C);
  });
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode, screen };
}

test('a bar is on the screen of a terminal, and gone at the end', async () => {
  const { exitCode, screen } = await onTerminal(['fsck', PLAIN]);
  expect(exitCode).toBe(0);
  expect(screen).toContain('Reading files');
  const [, after] = splitAtLast(screen, ERASED);
  expect(after).toMatch(/^\S+plain-fp\.erofs: clean, [^\n]*\r\n$/);
});

test('no bar with --json, nor where standard error is no terminal', async () => {
  expect((await onTerminal(['fsck', '--json', PLAIN])).screen).toMatch(/^\{\r\n {2}"image"/);
  expect((await imageCommand('fsck', PLAIN)).stderr).toBe('');
});

test('Ctrl-C takes the bar away and ends the command as it always does', async () => {
  using scratch = new TemporaryDirectory();
  mkdirSync(scratch.join('source'));
  writeFileSync(scratch.join('source', 'big'), '');
  // Compressed zeros: a small image, and much to hash.
  truncateSync(scratch.join('source', 'big'), 1 << 30);
  systemMkfs.run('--quiet', '-zlz4hc', '-C1048576', scratch.join('image'), scratch.join('source'));
  const words = ['diff', scratch.join('image'), scratch.join('image')];
  const { exitCode, screen } = await onTerminal(words, 'MiB of 2.0 GiB');
  expect(exitCode).toBe(128 + 2);
  expect(splitAtLast(screen, ERASED)[1]).toBe('');
});

function splitAtLast(text: string, mark: string): [string, string] {
  const at = text.lastIndexOf(mark);
  expect(at).toBeGreaterThanOrEqual(0);
  return [text.slice(0, at), text.slice(at + mark.length)];
}
