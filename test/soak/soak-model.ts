import type { Contents, SoakImage } from './soak-images';

/** A container that runs. */
export interface ModelContainer {
  readonly id: string;
  /** Another one after the container was started anew. */
  pid: number;
  readonly image: SoakImage;
  readonly domain: string;
  /** How many times its domain had been rotated when it was made. */
  readonly rotation: number;
  /** What it must read. */
  contents: Contents;
}

/** Something that was written on an image or on another of these, and committed. */
export interface ModelCommit {
  readonly name: string;
  readonly parent: SoakImage | ModelCommit;
  readonly contents: Contents;
}

/** What must be there after everything that was done. It knows nothing of what is under way. */
export class SoakModel {
  readonly images = new Set<SoakImage>();
  readonly containers = new Map<string, ModelContainer>();
  readonly commits = new Map<string, ModelCommit>();
  /** What the configuration says. */
  domain = 'one';
  /** Domains that ever had a container, with how many times each was rotated. */
  readonly rotations = new Map<string, number>();

  rotate(domain: string): void {
    this.rotations.set(domain, this.rotationOf(domain) + 1);
  }

  rotationOf(domain: string): number {
    return this.rotations.get(domain) ?? 0;
  }

  /** Every snapshot, as `KIND NAME PARENT`, sorted. What nothing needs, containerd has collected. */
  snapshots(): string[] {
    const lines = new Set<string>();
    for (const image of this.images) addChain(lines, image);
    for (const { id, image } of this.containers.values()) {
      addChain(lines, image);
      lines.add(`Active ${id} ${image.chain.at(-1) ?? ''}`);
    }
    for (const commit of this.commits.values()) addCommit(lines, commit);
    return [...lines].sort();
  }

  /** Pairs of layer and domain that containers need, where a rotated domain is another one. */
  attachedLayers(): number {
    const pairs = new Set<string>();
    for (const { image, domain, rotation } of this.containers.values()) {
      for (const layer of image.chain) pairs.add(`${layer} ${domain} ${rotation}`);
    }
    return pairs.size;
  }

  /** `NAME DOMAIN`, and whether it is in an id that the domain had earlier, for each container, sorted. */
  runningSnapshots(): string[] {
    return [...this.containers.values()]
      .map(({ id, domain, rotation }) =>
        [id, domain, rotation < this.rotationOf(domain) ? 'earlier' : 'current'].join(' '),
      )
      .sort();
  }

  /** Commits on which there is no other one. */
  removableCommits(): ModelCommit[] {
    const commits = [...this.commits.values()];
    return commits.filter((commit) => !commits.some(({ parent }) => parent === commit));
  }
}

function addChain(lines: Set<string>, { chain }: SoakImage): void {
  chain.forEach((name, index) => lines.add(`Committed ${name} ${chain[index - 1] ?? ''}`));
}

function addCommit(lines: Set<string>, { name, parent }: ModelCommit): void {
  if ('name' in parent) addCommit(lines, parent);
  else addChain(lines, parent);
  lines.add(`Committed ${name} ${snapshotOf(parent)}`);
}

/** The name of the snapshot that something can be prepared on. */
export function snapshotOf(parent: SoakImage | ModelCommit): string {
  return 'name' in parent ? parent.name : (parent.chain.at(-1) ?? '');
}
