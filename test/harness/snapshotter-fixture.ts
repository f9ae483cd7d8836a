import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Paths } from '../../snapshotter/paths';
import type { SnapshotsOptions } from '../../snapshotter/snapshots-options';
import { Scratch } from './scratch';
import type { SnapshotsConnection } from './snapshots-connection';
import { SnapshotterServer } from './snapshotter-server';

/** A server for each test of a file, on a state of its own, and what tests do with it all the time. */
export class SnapshotterFixture {
  #scratch: Scratch | undefined;
  #server: SnapshotterServer | undefined;

  get scratch(): Scratch {
    if (this.#scratch === undefined) throw new Error('only within a test');
    return this.#scratch;
  }

  get parts(): SnapshotterServer['parts'] {
    if (this.#server === undefined) throw new Error('no server is running');
    return this.#server.parts;
  }

  get client(): SnapshotsConnection {
    return this.parts.client;
  }

  get paths(): Paths {
    return this.parts.paths;
  }

  async prepare(): Promise<void> {
    this.#scratch = await Scratch.make();
    await this.start();
  }

  /** Starts the server, again if need be, on what an earlier one left. */
  async start(options: Partial<SnapshotsOptions> = {}): Promise<void> {
    await this.#server?.stop();
    this.#server = await SnapshotterServer.start(this.scratch, options);
  }

  /** Stops the server; its paths and store are as it left them. */
  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  async dispose(): Promise<void> {
    await this.stop();
    this.#server = undefined;
    await this.#scratch?.[Symbol.asyncDispose]();
  }

  /** Directory that an active snapshot writes to. */
  upperOf(key: string): string {
    const snapshot = this.parts.store.snapshots.find(key);
    if (snapshot === undefined) throw new Error(`no snapshot ${key}`);
    return this.paths.upper(snapshot.id);
  }

  /** Path of the image of a committed snapshot. */
  imageOf(name: string): string {
    const snapshot = this.parts.store.snapshots.find(name);
    if (snapshot === undefined) throw new Error(`no snapshot ${name}`);
    return this.paths.image(snapshot.id);
  }

  /** Commits a layer with one file, `content`. */
  async commitLayer(name: string, parent = '', content = name): Promise<void> {
    await this.client.prepare(`${name}-key`, parent);
    await writeFile(join(this.upperOf(`${name}-key`), 'content'), content);
    await this.client.commit(name, `${name}-key`);
  }
}

/** The fixture, set up before each test of the file that calls this and taken down after it. */
export function useSnapshotter(): SnapshotterFixture {
  const fixture = new SnapshotterFixture();
  beforeEach(() => fixture.prepare());
  afterEach(() => fixture.dispose());
  return fixture;
}
