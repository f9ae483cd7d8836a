import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { readMountTable } from '../../linux/mount-table';
import type { EngineEvents, EngineOptions } from '../engine';
import type { Domain, LayerAttachment } from '../layer-server';
import { EngineClient } from '../worker/engine-client';

const run = promisify(execFile);

/** Sample images, with their source tree in `src`. */
export const FIXTURES = path.join(__dirname, '../../../test/fixtures/erofs');

export const TEAM: Domain = { id: 1, name: 'team', token: 'a1b2', secret: Buffer.alloc(32, 7) };
export const OTHERS: Domain = { id: 2, name: 'others', token: 'c3d4', secret: Buffer.alloc(32, 8) };

/** An engine of its own, mounted in a directory of its own. */
export class EnginePlace implements AsyncDisposable {
  #nextId = 1;

  private constructor(
    readonly directory: string,
    readonly engine: EngineClient,
  ) {}

  static async start(
    options: Partial<EngineOptions> = {},
    events: Partial<EngineEvents> = {},
  ): Promise<EnginePlace> {
    const directory = await mkdtemp(path.join(tmpdir(), 'engine-'));
    await mkdir(path.join(directory, 'images'));
    const engine = await EngineClient.start(
      {
        imagesDirectory: path.join(directory, 'images'),
        takeoverDirectory: directory,
        program: 'test',
        passthrough: true,
        readAheadKib: 128,
        metadataCacheBytes: 1 << 20,
        realtime: false,
        ...options,
      },
      {
        log: () => undefined,
        onLost: (error) => {
          throw error;
        },
        onDamage: () => undefined,
        ...events,
      },
    );
    return new EnginePlace(directory, engine);
  }

  get imagesDirectory(): string {
    return path.join(this.directory, 'images');
  }

  /** A layer that was never attached; `image` is a path, from the sample images. */
  layer(
    image: string,
    domain: Domain | undefined,
    rest: Partial<Pick<LayerAttachment, 'trust' | 'verified' | 'digests'>> = {},
  ): LayerAttachment {
    const attachmentId = this.#nextId++;
    return {
      attachmentId,
      imagePath: path.resolve(FIXTURES, image),
      label: path.basename(image),
      domain,
      trust: 'computed',
      verified: [],
      digests: undefined,
      nodeRange: attachmentId,
      inoBase: attachmentId * 100_000,
      inoCount: 100_000,
      ...rest,
    };
  }

  /** READs that the ishare mount has answered: what comes from cached pages costs none. */
  async dedupReads(): Promise<number> {
    return (await this.engine.state()).requests.ishare['READ'] ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    const left = (await readMountTable()).filter(({ target }) => target === this.imagesDirectory);
    await rm(this.directory, { recursive: true });
    if (left.length > 0) throw new Error(`${this.directory} is still mounted`);
  }
}

/** SHA-256 of a file, read in a process of its own, as containers do. */
export async function digestOf(file: string): Promise<string> {
  const { stdout } = await run('sha256sum', [file], { timeout: 10_000 });
  return stdout.slice(0, 64);
}
