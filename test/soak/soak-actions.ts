import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { CtrError } from '../../scripts/containerd/ctr-error';
import { detachMountsBelow } from '../../scripts/process/temporary-directory';
import type { Pseudorandom } from '../erofs/compressible-tree';
import type { ContainerHost, Daemon, MountedTree, Place } from '../harness/container-host';
import { noise } from '../harness/noise';
import type { Disturbances } from './disturbances';
import { COMPARED, sha256, type SoakImage } from './soak-images';
import { snapshotOf, type ModelCommit, type ModelContainer, type SoakModel } from './soak-model';
import { contentsOf, expectContents } from './tree-contents';

/** Something that is done to the machine and told to the model. It may be done again when it has failed half-way. */
export interface Action {
  readonly name: string;
  /** How often it is drawn, beside the others. */
  readonly weight: number;
  readonly possible: (model: SoakModel) => boolean;
  /** Draws what it needs at once, so that what follows does not depend on how it goes. */
  readonly draw: (random: Pseudorandom) => () => Promise<void>;
  /** Nothing else may happen meanwhile. */
  readonly undisturbed?: true;
  /** It asks the daemon, so it may fail while there is none. What a container does may not. */
  readonly asks?: true;
}

const MOST_CONTAINERS = 5;
const MOST_COMMITS = 6;
const GIVEN_UP_BYTES = 24 << 20;
const DOMAINS = ['one', 'two'];
const always = (): boolean => true;

export class SoakActions {
  /** The daemon must live on. */
  keepDaemon = false;
  #number = 0;

  constructor(
    private readonly host: ContainerHost,
    private readonly place: Place,
    private readonly model: SoakModel,
    private readonly disturbances: Disturbances,
    private readonly catalogue: readonly SoakImage[],
  ) {}

  readonly #actions: readonly Action[] = [
    {
      name: 'import',
      asks: true,
      weight: 4,
      possible: always,
      draw: (random) => {
        const image = oneOf(this.catalogue, random);
        return () => this.#import(image);
      },
    },
    {
      name: 'run',
      asks: true,
      weight: 6,
      possible: ({ images, containers }) => images.size > 0 && containers.size < MOST_CONTAINERS,
      draw: (random) => {
        const image = oneOf([...this.model.images], random);
        return () => this.#run(image);
      },
    },
    {
      name: 'read',
      weight: 8,
      possible: ({ containers }) => containers.size > 0,
      draw: (random) => {
        const container = this.#container(random);
        const inside = random.below(2) === 0;
        return () => (inside ? this.#readInside(container) : this.#readFromHost(container));
      },
    },
    {
      name: 'write',
      weight: 4,
      possible: ({ containers }) => containers.size > 0,
      draw: (random) => {
        const container = this.#container(random);
        const path = oneOf([...container.contents.keys()], random);
        return () => this.#write(container, path);
      },
    },
    {
      name: 'commit',
      asks: true,
      weight: 3,
      possible: ({ images, commits }) => images.size > 0 && commits.size < MOST_COMMITS,
      draw: (random) => {
        const parent = this.#parent(random);
        const path = oneOf([...parent.contents.keys()], random);
        return () => this.#commit(parent, path);
      },
    },
    {
      name: 'view',
      asks: true,
      weight: 3,
      possible: ({ images }) => images.size > 0,
      draw: (random) => {
        const parent = this.#parent(random);
        return () => this.#view(parent);
      },
    },
    {
      name: 'commit that is called off',
      asks: true,
      weight: 2,
      possible: ({ images }) => images.size > 0,
      draw: (random) => {
        const parent = this.#parent(random);
        const limit = 20 + random.below(250);
        return () => this.#callOffCommit(parent, limit);
      },
    },
    {
      name: 'remove a container',
      asks: true,
      weight: 4,
      possible: ({ containers }) => containers.size > 0,
      draw: (random) => {
        const container = this.#container(random);
        return () => this.removeContainer(container);
      },
    },
    {
      name: 'remove an image',
      asks: true,
      weight: 2,
      possible: ({ images }) => images.size > 0,
      draw: (random) => {
        const image = oneOf([...this.model.images], random);
        return () => this.removeImage(image);
      },
    },
    {
      name: 'remove a commit',
      asks: true,
      weight: 1,
      possible: ({ commits }) => commits.size > 0,
      draw: (random) => {
        const commit = oneOf(this.model.removableCommits(), random);
        return () => this.removeCommit(commit);
      },
    },
    {
      name: 'rotate',
      asks: true,
      weight: 1,
      possible: always,
      draw: () => {
        const { domain } = this.model;
        return async () => {
          await this.#daemon.ishare.json('domains', 'rotate', domain, '--yes');
          this.model.rotate(domain);
        };
      },
    },
    {
      name: 'drop the cache',
      asks: true,
      weight: 2,
      possible: always,
      draw: () => async () => {
        await this.#daemon.ishare.json('cache', 'drop', '--all');
      },
    },
    {
      name: 'reload',
      asks: true,
      weight: 1,
      possible: always,
      draw: (random) => {
        const domain = oneOf(DOMAINS, random);
        return () => this.#reload(domain);
      },
    },
    {
      name: 'restart containerd',
      weight: 1,
      possible: always,
      undisturbed: true,
      draw: (random) => {
        const end = oneOf(['stop', 'crash'] as const, random);
        return () => this.disturbances.restartContainerd(end);
      },
    },
    {
      name: 'lose daemon and holder',
      weight: 1,
      possible: always,
      undisturbed: true,
      draw: () => async () => {
        if (!this.keepDaemon) await this.#loseMounts();
      },
    },
  ];

  /** One of those that are possible now. */
  choose(random: Pseudorandom): Action {
    const possible = this.#actions.filter((action) => action.possible(this.model));
    let left = random.below(possible.reduce((sum, { weight }) => sum + weight, 0));
    return possible.find(({ weight }) => (left -= weight) < 0)!;
  }

  /** Takes away what an action left half-way. */
  async sweep(): Promise<void> {
    await detachMountsBelow(join(this.host.directory, 'trees'));
    await this.#afterWrites();
    const known = new Set([...this.model.snapshots().map((line) => line.split(' ')[1])]);
    // A commit whose answer is lost is one that did not happen to containerd: it keeps the snapshot that was to be committed,
    // which no list shows, since the daemon has it no more.
    for (const key of this.host.treeKeys) await this.#snapshots('remove', key).catch(ignoreGone);
    this.host.treeKeys.clear();
    const listed = await this.#snapshots('list');
    const strangers = listed
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/)[0] ?? '')
      .filter((name) => /^(tree|commit)-/.test(name) && !known.has(name));
    for (const name of strangers) await this.#snapshots('remove', name).catch(ignoreGone);
    const { containerd } = this.host;
    for (const { id } of await containerd.tasks(this.place)) {
      if (!this.model.containers.has(id)) await containerd.removeContainer(id, this.place);
    }
    const containers = (await containerd.ctr(['containers', 'list', '--quiet'], this.place)).split('\n');
    for (const id of containers) {
      if (id !== '' && !this.model.containers.has(id)) await containerd.removeContainer(id, this.place);
    }
  }

  /**
   * Waits until containerd has written what it was writing. A commit whose client has gone away may be beyond recall, and a
   * list does not wait for it.
   */
  async #afterWrites(): Promise<void> {
    const { containerd } = this.host;
    await containerd.ctr(['leases', 'create', '--id', 'written'], this.place);
    await containerd.ctr(['leases', 'delete', 'written'], this.place);
  }

  /**
   * Has containerd collect garbage, and waits for it. A collection looks at a snapshotter where something was removed,
   * and then finds what an interrupted call of containerd's left in it, too.
   */
  async collect(): Promise<void> {
    const { containerd } = this.host;
    this.#number += 1;
    await this.#snapshots('prepare', `collect-${this.#number}`);
    await this.#snapshots('remove', `collect-${this.#number}`).catch(ignoreGone);
    await containerd.ctr(['leases', 'create', '--id', 'collect'], this.place).catch((error: unknown) => {
      if (!(error instanceof CtrError && error.kind === 'already-exists')) throw error;
    });
    const leases = (await containerd.ctr(['leases', 'list', '--quiet'], this.place)).split('\n');
    for (const lease of leases) {
      if (lease !== '')
        await containerd.ctr(['leases', 'delete', '--sync', lease], this.place).catch(ignoreGone);
    }
  }

  async removeEverything(): Promise<void> {
    for (const container of [...this.model.containers.values()]) await this.removeContainer(container);
    while (this.model.commits.size > 0) {
      for (const commit of this.model.removableCommits()) await this.removeCommit(commit);
    }
    for (const image of [...this.model.images]) await this.removeImage(image);
  }

  async removeContainer({ id }: ModelContainer): Promise<void> {
    await this.host.containerd.removeContainer(id, this.place);
    this.model.containers.delete(id);
  }

  async removeImage(image: SoakImage): Promise<void> {
    await this.host.containerd.removeImage(image.reference, this.place).catch(ignoreGone);
    this.model.images.delete(image);
  }

  async removeCommit({ name }: ModelCommit): Promise<void> {
    await this.#snapshots('remove', name).catch(async (error: unknown) => {
      if (!(error instanceof CtrError && error.kind === 'failed-precondition')) ignoreGone(error);
      // containerd 1.6 goes on counting children that its garbage collector has taken; the collector itself does not.
      else await this.#snapshots('label', name, 'containerd.io/gc.root=');
    });
    this.model.commits.delete(name);
  }

  get #daemon(): Daemon {
    return this.host.daemon(this.place.snapshotter);
  }

  #snapshots(...words: string[]): Promise<string> {
    return this.host.containerd.ctr(
      ['snapshots', '--snapshotter', this.place.snapshotter, ...words],
      this.place,
    );
  }

  #container(random: Pseudorandom): ModelContainer {
    return oneOf([...this.model.containers.values()], random);
  }

  /** Something on which snapshots can be made, with files in it. */
  #parent(random: Pseudorandom): SoakImage | ModelCommit {
    return oneOf([...this.model.images, ...this.model.commits.values()], random);
  }

  async #import(image: SoakImage): Promise<void> {
    await this.host.containerd.import(image.archive, this.place);
    this.model.images.add(image);
  }

  async #run(image: SoakImage): Promise<void> {
    this.#number += 1;
    const id = `c${this.#number}`;
    const { domain, rotations } = this.model;
    const pid = await this.host.containerd.run(image.reference, id, this.place);
    const rotation = rotations.get(domain) ?? 0;
    this.model.containers.set(id, { id, pid, image, domain, rotation, contents: image.contents });
  }

  async #readInside({ id, contents }: ModelContainer): Promise<void> {
    const find = COMPARED.map((name) => `/${name}`);
    const command = [
      '/bin/busybox',
      'find',
      ...find,
      '-type',
      'f',
      '-exec',
      '/bin/busybox',
      'sha256sum',
      '{}',
      '+',
    ];
    const output = await this.host.containerd.exec(id, { ...this.place, command });
    const lines = output
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/));
    expectContents(new Map(lines.map(([digest = '', path = '']) => [path, digest])), contents);
  }

  async #readFromHost({ pid, contents }: ModelContainer): Promise<void> {
    expectContents(await contentsOf(`/proc/${pid}/root`), contents);
  }

  async #write(container: ModelContainer, path: string): Promise<void> {
    this.#number += 1;
    const text = `written ${this.#number}`;
    const script = 'printf "%s" "$1" > /data/written && printf "%s" "$1" >> "$2"';
    const before = await readFile(`/proc/${container.pid}/root${path}`);
    const command = ['/bin/sh', '-c', script, 'sh', text, path];
    await this.host.containerd.exec(container.id, { ...this.place, command });
    const changed = new Map([...container.contents, ['/data/written', sha256(text)]]);
    if (path === '/data/written') changed.set(path, sha256(`${text}${text}`));
    else changed.set(path, sha256(Buffer.concat([before, Buffer.from(text)])));
    container.contents = changed;
  }

  async #commit(parent: SoakImage | ModelCommit, path: string): Promise<void> {
    this.#number += 1;
    const name = `commit-${this.#number}`;
    const tree = await this.#prepared(parent);
    expectContents(await contentsOf(tree.path), parent.contents);
    const contents = new Map([...parent.contents, [`/srv/${name}`, sha256(name)]]);
    await writeFile(join(tree.path, 'srv', name), name);
    await rm(join(tree.path, path));
    contents.delete(path);
    tree.unmount();
    await this.host.commit(tree, name, this.place);
    this.model.commits.set(name, { name, parent, contents });
  }

  #prepared(parent: SoakImage | ModelCommit, kind?: 'view'): Promise<MountedTree> {
    return this.host.mountTree(snapshotOf(parent), this.place, kind);
  }

  async #view(parent: SoakImage | ModelCommit): Promise<void> {
    await using tree = await this.#prepared(parent, 'view');
    expectContents(await contentsOf(tree.path), parent.contents);
  }

  /** The client goes away; containerd lets the daemon know. Whatever has become of the snapshot is removed. */
  async #callOffCommit(parent: SoakImage | ModelCommit, limit: number): Promise<void> {
    this.#number += 1;
    const name = `commit-${this.#number}`;
    const tree = await this.#prepared(parent);
    await writeFile(join(tree.path, 'large'), noise(name, GIVEN_UP_BYTES));
    tree.unmount();
    const words = ['snapshots', '--snapshotter', this.place.snapshotter, 'commit', name, tree.key];
    const { containerd } = this.host;
    await containerd
      .ctr(words, { ...this.place, signal: AbortSignal.timeout(limit) })
      .catch((error: unknown) => {
        if (!(error instanceof CtrError)) throw error;
      });
    await this.sweep();
  }

  /** As after a reboot: containers are there and do not run, and what was written into them is there too. */
  async #loseMounts(): Promise<void> {
    await this.disturbances.loseMounts();
    const { containerd } = this.host;
    for (const container of this.model.containers.values()) {
      await containerd.removeTask(container.id, this.place);
      container.pid = await containerd.startTask(container.id, this.place);
    }
  }

  async #reload(domain: string): Promise<void> {
    await this.#daemon.snapshotter.configure(stringify({ domains: { default: domain } }));
    // A daemon that starts meanwhile has read the new file as well.
    this.model.domain = domain;
    await this.#daemon.ishare.json('config', 'reload');
  }
}

function oneOf<Item>(items: readonly Item[], random: Pseudorandom): Item {
  const item = items[random.below(items.length)];
  if (item === undefined) throw new Error('there is nothing to choose from');
  return item;
}

function ignoreGone(error: unknown): void {
  if (!(error instanceof CtrError && error.kind === 'not-found')) throw error;
}
