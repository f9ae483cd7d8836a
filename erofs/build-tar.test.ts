import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { buildImage, type BuildProgress } from './build';
import { ImageBuilder } from './build-worker';
import { ErofsCorruptError } from './errors';
import { MalformedTarError } from './writer/tar/errors';
import { ScratchDirectory } from './writer/testing/scratch-directory';

/** A directory, and the same as a tar that keeps everything. */
function makeLayer(scratch: ScratchDirectory): void {
  scratch.shell(`mkdir source images; cd source; mkdir -p a/b c; chmod 1777 c; head -c 9000000 /dev/urandom > a/noise
    yes words | head -c 5000001 > a/b/words; touch -d @1.5 a/b/words; ln a/b/words c/again; ln -s ../a c/link; mkfifo pipe
    mknod null c 1 3; mknod gone c 0 0; touch empty; setcap cap_net_raw+ep a/noise; setfattr -n user.some -v thing a
    chown 7:70000 c/link -h; touch -d @-3.25 a; cd ..
    tar --format=pax --xattrs --xattrs-include='*' --pax-option=delete=atime,delete=ctime -C source -cf layer.tar .`);
}

describe('an image of a tar', () => {
  test.each([
    ['as it is', 'cat'],
    ['gzip', 'gzip -1'],
    ['zstd', 'zstd -q -1'],
  ])('(%s) is that of the directory, byte for byte, compressed or not', async (_how, compress) => {
    using scratch = new ScratchDirectory('tmpfs');
    makeLayer(scratch);
    scratch.shell(`${compress} < layer.tar > layer`);
    const lz4 = { encoder: 'lz4', pclusterSize: 16_384, inlineTails: true, rules: [] } as const;
    for (const compression of [undefined, lz4]) {
      const source = { directory: scratch.join('source'), overlay: true };
      await buildImage({ source, target: scratch.join('images/one'), compression });
      await buildImage({
        source: { tar: scratch.join('layer') },
        target: scratch.join('images/other'),
        compression,
      });
      const [one, other] = ['one', 'other'].map((name) => readFileSync(scratch.join('images', name)));
      expect(other!.equals(one!)).toBe(true);
    }
    expect(readdirSync(scratch.join('images')).sort()).toEqual(['one', 'other']);
  });

  test('is built in a thread, which says how far it has read', async () => {
    using scratch = new ScratchDirectory('tmpfs');
    makeLayer(scratch);
    const seen: BuildProgress[] = [];
    await using builder = new ImageBuilder({ concurrency: 1 });
    const tar = scratch.join('layer.tar');
    await builder.build({
      source: { tar },
      target: scratch.join('images/one'),
      onProgress: (progress) => seen.push(progress),
    });
    const { size } = statSync(tar);
    expect(seen).toContainEqual({
      stage: 'reading',
      inodes: 0,
      totalInodes: 0,
      bytes: size,
      totalBytes: size,
    });
    expect(seen.at(-1)).toMatchObject({ stage: 'writing', inodes: 11, totalInodes: 11 });
  });

  test('that is damaged is refused by name and place, and leaves nothing', async () => {
    using scratch = new ScratchDirectory('tmpfs');
    makeLayer(scratch);
    const bytes = readFileSync(scratch.join('layer.tar'));
    writeFileSync(scratch.join('short.tar'), bytes.subarray(0, 3_000_000));
    await using builder = new ImageBuilder({ concurrency: 1 });
    const build = builder.build({
      source: { tar: scratch.join('short.tar') },
      target: scratch.join('images/one'),
    });
    await expect(build).rejects.toThrow(MalformedTarError);
    await expect(build).rejects.toThrow(/short\.tar, .* at byte \d+: /);
    expect(readdirSync(scratch.join('images'))).toEqual([]);
  });

  test('on a layer below that is no image fails with what is wrong with that', async () => {
    using scratch = new ScratchDirectory('tmpfs');
    scratch.shell('mkdir images; touch lower; mkdir -p d/e; echo text > d/e/f; tar -cf layer.tar d/e/f');
    await using builder = new ImageBuilder({ concurrency: 1 });
    const source = { tar: scratch.join('layer.tar'), lower: [scratch.join('lower')] };
    const build = builder.build({ source, target: scratch.join('images/one') });
    await expect(build).rejects.toThrow(ErofsCorruptError);
    await expect(build).rejects.toThrow(scratch.join('lower'));
    expect(readdirSync(scratch.join('images'))).toEqual([]);
  });
});
