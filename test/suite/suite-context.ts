import { mkdir } from 'node:fs/promises';
import { mountSnapshot } from '../harness/mounting';
import { Scratch } from '../harness/scratch';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { type Change, treeOf } from '../harness/tree';

/** A running snapshotter on a state of its own. stop() may be called more than once. */
export interface StartedSnapshotter {
  /** Path of the unix socket. */
  readonly socket: string;
  stop(): Promise<void>;
}

/** containerd's suite gives every snapshot a label like this, so that its garbage collector spares them. */
export const LABELS = { 'containerd.io/gc.root': 'suite' };

/** The server and the place of one test, and the steps that tests are made of. */
export class SuiteContext implements AsyncDisposable {
  private constructor(
    readonly server: StartedSnapshotter,
    readonly client: SnapshotsConnection,
    readonly scratch: Scratch,
  ) {}

  static async start(start: () => Promise<StartedSnapshotter>): Promise<SuiteContext> {
    const server = await start();
    return new SuiteContext(server, new SnapshotsConnection(server.socket), await Scratch.make());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Mounts go first: the server may be asked to take their layers away.
    await this.scratch[Symbol.asyncDispose]();
    this.client[Symbol.dispose]();
    await this.server.stop();
  }

  /** Prepares, mounts, changes, unmounts and commits a layer. */
  async layer(committed: string, parent: string, change: Change): Promise<string> {
    const key = `${committed}-prepare`;
    const mounts = await this.client.prepare(key, parent, LABELS);
    {
      using mounted = await mountSnapshot(mounts, this.scratch.in('layer'));
      await change(mounted.path);
    }
    await this.client.commit(committed, key, LABELS);
    return committed;
  }

  async treeOfView(committed: string): Promise<string[]> {
    const key = `${committed}-view`;
    const mounts = await this.client.view(key, committed, LABELS);
    try {
      using mounted = await mountSnapshot(mounts, this.scratch.in('view'));
      return await treeOf(mounted.path);
    } finally {
      await this.client.remove(key);
    }
  }

  /** Builds a chain with one layer for each change; each must look like the changes made to one plain directory. */
  async expectChain(prefix: string, ...parts: readonly Change[]): Promise<void> {
    const flat = this.scratch.in(`${prefix}-flat`);
    await mkdir(flat);
    let parent = '';
    for (const [index, part] of parts.entries()) {
      parent = await this.layer(`${prefix}-${index}`, parent, part);
      await part(flat);
      expect(await this.treeOfView(parent)).toEqual(await treeOf(flat));
    }
  }
}
