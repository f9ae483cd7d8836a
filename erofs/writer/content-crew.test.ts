import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImageBuilder } from '../build-worker';
import { startCrew } from './content-crew';
import type { ContentTask } from './content-task';
import { ScratchDirectory } from './testing/scratch-directory';

function hashTask(bytes: string, last: boolean): ContentTask {
  const input = new SharedArrayBuffer(bytes.length);
  Buffer.from(input).write(bytes);
  return { kind: 'hash', input, offset: 0, length: bytes.length, last };
}

describe.each([0, 1, 3])('a crew of %d', (size) => {
  test('hashes the pieces of a file in their order, files side by side', async () => {
    await using crew = startCrew(size, []);
    const results = [0, 1, 2].map(async (file) => {
      void crew.run(hashTask(`first ${file}`, false), file);
      return await crew.run(hashTask('and last', true), file);
    });
    // A crew of one has one file at a time.
    const expected = [0, 1, 2].map((file) => ({
      kind: 'hash',
      digest: new Uint8Array(createHash('sha256').update(`first ${file}and last`).digest()),
    }));
    const digests = (await Promise.all(results)).map((result) =>
      result.kind === 'hash' && result.digest !== undefined
        ? { kind: 'hash', digest: new Uint8Array(result.digest) }
        : result,
    );
    expect(digests).toEqual(expected);
  });

  test('says what went wrong in a task, and ends all the same', async () => {
    await using crew = startCrew(size, []);
    const memory = new SharedArrayBuffer(10);
    const piece = { offset: 0, length: 10, whole: false, settings: 7, inlineMax: 0, plainBytes: 10 };
    const task: ContentTask = { kind: 'pieces', input: memory, output: memory, pieces: [piece] };
    await expect(crew.run(task, 0)).rejects.toThrow('no encoder settings 7');
  });
});

test('builds that are aborted at any moment leave nothing, and the process alive', async () => {
  using scratch = new ScratchDirectory('tmpfs');
  scratch.shell(
    'mkdir source images; head -c 30000000 /dev/urandom > source/noise; yes text | head -c 30000000 > source/text',
  );
  await using builder = new ImageBuilder({ concurrency: 2 });
  for (let round = 0; round < 8; round++) {
    const controller = new AbortController();
    const build = builder.build({
      source: { directory: scratch.join('source'), overlay: false },
      target: scratch.join('images/image'),
      threads: 3,
      compression: { encoder: 'lz4hc', level: 12, pclusterSize: 65_536, inlineTails: true, rules: [] },
      signal: controller.signal,
    });
    void build.catch(() => undefined);
    await sleep(round * 12);
    controller.abort(new Error('enough'));
    await expect(build).rejects.toThrow('enough');
    expect(readdirSync(scratch.join('images'))).toEqual([]);
  }
});
