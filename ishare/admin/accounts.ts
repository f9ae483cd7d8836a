import type { ContainerState, DomainState, ImageState, InodeState } from '../../proto/admin-messages';
import {
  domainState,
  inodeState,
  partOf,
  partsByAttachment,
  totals,
  usedBy,
  type Totals,
} from '../accounting';
import type { AttachedImage, MeasuredInode } from '../inventory';
import type { AdminContext } from './context';
import { compareInodes } from './inode-order';
import type { CommittedImage, ContainerLayers } from './sources';

/** All that is attached, shared and cached at one moment. Users of inodes are those that a running container is behind. */
export class Accounts {
  readonly totals: Totals;
  readonly #parts: ReadonlyMap<number, Totals>;
  /** How many containers have an attachment among their layers. */
  readonly #containersOn = new Map<number, number>();

  private constructor(
    readonly images: readonly AttachedImage[],
    readonly inodes: readonly MeasuredInode[],
    readonly containers: readonly ContainerLayers[],
  ) {
    this.totals = totals(inodes);
    this.#parts = partsByAttachment(inodes);
    for (const { attachments } of containers)
      for (const id of attachments) this.#containersOn.set(id, (this.#containersOn.get(id) ?? 0) + 1);
  }

  static async take({ engine, sources }: AdminContext): Promise<Accounts> {
    const { images, inodes } = await engine.measure();
    const containers = sources.containers();
    const running = new Set(containers.flatMap(({ attachments }) => attachments));
    return new Accounts(
      images,
      inodes.map((inode) => usedBy(inode, running)),
      containers,
    );
  }

  domainState(name: string): DomainState {
    return domainState(
      name,
      this.images.filter(({ domain }) => domain === name).length,
      this.inodes.filter(({ domain }) => domain === name),
    );
  }

  /** Each inode, or those of one domain, the first `limit` of them in this order; 0 stands for all. */
  inodeStates(domain: string, order: number, limit: number): InodeState[] {
    const chosen = domain === '' ? this.inodes : this.inodes.filter((inode) => inode.domain === domain);
    const sorted = chosen.map(inodeState).sort(compareInodes(order));
    return limit > 0 ? sorted.slice(0, limit) : sorted;
  }

  imageState(image: CommittedImage): ImageState {
    const { name, path, size, inodes } = image;
    const attached = this.images.filter(({ imagePath }) => imagePath === path);
    const part = partOf(
      attached.map(({ attachmentId }) => attachmentId),
      this.#parts,
    );
    return {
      ...{ name, path, size, inodes },
      attached_in: attached.map(({ domain }) => domain ?? ''),
      shared_files: attached.reduce((sum, { sharedFiles }) => sum + sharedFiles, 0),
      ...trustState(image),
      cached_bytes: part.cachedBytes,
      saved_bytes: part.savedBytes,
    };
  }

  /** Containers of one image have equal parts: nobody can tell which of them has opened a file. */
  containerState({ key, domain, rule, earlierId, attachments }: ContainerLayers): ContainerState {
    const part = partOf(attachments, this.#parts, (id) => this.#containersOn.get(id) ?? 1);
    return {
      ...{ key, domain, rule },
      earlier_id: earlierId,
      images: attachments.length,
      cached_bytes: part.cachedBytes,
      saved_bytes: part.savedBytes,
    };
  }
}

/** In one word how an image stands, and why it stands badly. */
export function trustState({
  trust,
  trustReason,
  damage,
}: CommittedImage): Pick<ImageState, 'state' | 'reason'> {
  return damage === '' ? { state: trust, reason: trustReason } : { state: 'damaged', reason: damage };
}
