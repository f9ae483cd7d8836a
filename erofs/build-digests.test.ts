import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmdirSync } from 'node:fs';
import { buildImage, buildImageOfTree, type BuildOptions, type CompressionOptions } from './build';
import { BuildWorkerCrashedError, ImageBuilder } from './build-worker';
import { verifyImageFile } from './digests/image-verification';
import { BytesContent, type ContentSource } from './writer/content';
import { SourceChangedError } from './writer/errors';
import { directory, file } from './writer/testing/sample-tree';
import { ScratchDirectory } from './writer/testing/scratch-directory';

const lz4: CompressionOptions = { encoder: 'lz4', pclusterSize: 16_384, inlineTails: true, rules: [] };

/** An empty place for an image and its table, and a source with a large file, small ones and a hole. */
function prepare(): { scratch: ScratchDirectory; options: BuildOptions & { digests: string } } {
  const scratch = new ScratchDirectory();
  scratch.shell(`mkdir source images; cd source; head -c 3000000 /dev/urandom > noise; yes words | head -c 9000001 > words
    truncate -s 2M sparse; echo text > small; touch empty
    tar --format=pax --pax-option=delete=atime,delete=ctime -cf ../layer.tar .`);
  const source = { directory: scratch.join('source'), overlay: false };
  return {
    scratch,
    options: { source, target: scratch.join('images/image'), digests: scratch.join('images/table') },
  };
}

function rootOf(table: string): string {
  return createHash('sha256').update(readFileSync(table)).digest('hex');
}

describe('a build that is asked for digests', () => {
  test.each([
    ['plain', undefined],
    ['compressed', lz4],
  ])('records those of the image as it is (%s), and tells their root', async (_how, compression) => {
    const { scratch, options } = prepare();
    using _scratch = scratch;
    const result = await buildImage({ ...options, compression });
    expect(readdirSync(scratch.join('images')).sort()).toEqual(['image', 'table']);
    expect(result.digestsRoot).toBe(rootOf(options.digests));
    const digests = { path: options.digests, root: result.digestsRoot! };
    expect(await verifyImageFile(options.target, digests)).toEqual({
      fileLength: result.bytes,
      recordedLength: result.bytes,
      unitSize: 16_384,
      wrongUnits: 0,
      wrong: [],
    });
  });

  test('makes the same image as one that is not, and the same table in a thread, of a directory as of a tar', async () => {
    const { scratch, options } = prepare();
    using _scratch = scratch;
    const { digestsRoot, ...result } = await buildImage(options);
    const { digests: _digests, ...without } = options;
    const other = await buildImage({ ...without, target: scratch.join('images/other') });
    expect(other.digestsRoot).toBeUndefined();
    expect(other).toEqual(result);
    expect(readFileSync(options.target).equals(readFileSync(scratch.join('images/other')))).toBe(true);
    await using builder = new ImageBuilder({ concurrency: 1 });
    const source = { tar: scratch.join('layer.tar') };
    const digests = scratch.join('images/again.digests');
    const again = await builder.build({ source, target: scratch.join('images/again'), digests });
    expect(again.digestsRoot).toBe(digestsRoot);
    expect(readFileSync(digests).equals(readFileSync(options.digests))).toBe(true);
  });

  test('may have the table in another directory, and replaces the one that is there', async () => {
    const { scratch, options } = prepare();
    using _scratch = scratch;
    scratch.shell('mkdir tables; echo old > tables/table');
    const digests = scratch.join('tables/table');
    const { digestsRoot } = await buildImage({ ...options, digests });
    expect(rootOf(digests)).toBe(digestsRoot);
    expect(readdirSync(scratch.join('images'))).toEqual(['image']);
    expect(readdirSync(scratch.join('tables'))).toEqual(['table']);
  });

  test('makes the table before the image takes its name', async () => {
    const { scratch, options } = prepare();
    using _scratch = scratch;
    // The image cannot take its name, and neither can it lose what has it.
    mkdirSync(options.target);
    const temporary = scratch.join('images/.table');
    await expect(buildImage({ ...options, digestsTemporary: '.table' })).rejects.toMatchObject({
      syscall: 'rename',
      dest: options.target,
    });
    expect(readdirSync(scratch.join('images'))).toEqual(['image']);
    // Nor is the image renamed where the table cannot be.
    rmdirSync(options.target);
    mkdirSync(options.digests);
    await expect(buildImage({ ...options, digestsTemporary: '.table' })).rejects.toMatchObject({
      path: temporary,
      dest: options.digests,
    });
    expect(readdirSync(scratch.join('images'))).toEqual(['table']);
  });
});

describe('of a build that fails, neither image nor table is left', () => {
  test('because there is no directory for the table', async () => {
    const { scratch, options } = prepare();
    using _scratch = scratch;
    const digests = scratch.join('nowhere/table');
    await expect(buildImage({ ...options, digests })).rejects.toMatchObject({ code: 'ENOENT' });
    expect(readdirSync(scratch.join('images'))).toEqual([]);
  });

  test('because a source gives less than it promised', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell('mkdir images');
    const short = new BytesContent(Buffer.alloc(5000));
    const lying: ContentSource = { size: 9000, open: () => short.open() };
    const build = buildImageOfTree(directory({ lying: file(lying) }), {
      target: scratch.join('images/image'),
      digests: scratch.join('images/table'),
    });
    await expect(build).rejects.toThrow(SourceChangedError);
    expect(readdirSync(scratch.join('images'))).toEqual([]);
  });

  test('because it is aborted when its content is written', async () => {
    const { scratch, options } = prepare();
    using _scratch = scratch;
    scratch.shell('truncate -s 300M source/sparse');
    const controller = new AbortController();
    const reason = new Error('enough');
    // What is left to do then is the metadata, and the digests, which take longer than the pause between two breaths.
    const onProgress: BuildOptions['onProgress'] = ({ bytes, totalBytes }) => {
      if (bytes === totalBytes) setImmediate(() => controller.abort(reason));
    };
    await expect(buildImage({ ...options, signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect(readdirSync(scratch.join('images'))).toEqual([]);
  });

  test('because the thread that builds crashes', async () => {
    using scratch = new ScratchDirectory('tmpfs');
    scratch.shell(`mkdir source images; touch images/.image images/.table; mkdir source/many; cd source/many
      seq 150000 | xargs touch`);
    await using builder = new ImageBuilder({ concurrency: 1, heapLimit: 24 });
    const build = builder.build({
      source: { directory: scratch.join('source'), overlay: false },
      target: scratch.join('images/image'),
      temporary: '.image',
      digests: scratch.join('images/table'),
      digestsTemporary: '.table',
    });
    await expect(build).rejects.toThrow(BuildWorkerCrashedError);
    expect(readdirSync(scratch.join('images'))).toEqual([]);
  });
});
