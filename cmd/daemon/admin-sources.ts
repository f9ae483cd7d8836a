import type { Logger } from 'winston';
import type { Config } from '../../config/schema';
import type {
  AdminSources,
  CommittedImage,
  ContainerLayers,
  SnapshotLayers,
} from '../../ishare/admin/sources';
import { Kind } from '../../proto/snapshots';
import { noteDamage, noteSound } from '../../snapshotter/image-damage';
import type { LayerVerification } from '../../snapshotter/layer-verification';
import type { Paths } from '../../snapshotter/paths';
import { runningSnapshots } from '../../snapshotter/running-snapshots';
import type { Snapshots } from '../../snapshotter/snapshots';
import { NO_DOMAIN } from '../../snapshotter/store/domain-table';
import type { MetadataStore } from '../../snapshotter/store/metadata-store';
import type { Snapshot, SnapshotId } from '../../snapshotter/store/snapshot-table';
import { version } from '../version';
import type { LivePolicy } from './live-policy';

export interface AdminSourcesParts {
  readonly config: Config;
  readonly store: MetadataStore;
  readonly snapshots: Pick<Snapshots, 'commitsUnderWay' | 'forgetRetiredDomains' | 'imagesMade'>;
  readonly paths: Paths;
  readonly policy: LivePolicy;
  readonly verification: LayerVerification;
  readonly slowCalls: ReturnType<AdminSources['slowCalls']>;
  readonly logger: Logger;
}

/** What the admin service asks, from the database and the configuration. */
export function adminSources(parts: AdminSourcesParts): AdminSources {
  const { config, store, policy, logger } = parts;
  return {
    version,
    root: config.root,
    state: config.state,
    address: config.address,
    passthroughAllowed: config.fuse.passthrough,
    reload: () => policy.reload(),
    slowCalls: () => parts.slowCalls,
    builds: () => parts.snapshots.commitsUnderWay(),
    imagesMade: () => parts.snapshots.imagesMade,
    buildsAtOnce: config.build.workers,
    containers: () => containers(store),
    snapshots: () => allOf(store).length,
    domainNames: () => {
      const used = store.transaction(() => store.domains.list().map(({ name }) => name));
      return [...new Set([...used, ...policy.names()])];
    },
    domain: (name) => store.transaction(() => store.domains.find(name)),
    rotateDomain: (name) => {
      store.transaction(() => store.domains.rotate(name));
      // Where nothing is in the earlier id, nothing will be detached in it either.
      parts.snapshots.forgetRetiredDomains();
      return containers(store).filter(({ domain, earlierId }) => domain === name && earlierId).length;
    },
    images: () =>
      allOf(store)
        .filter(({ kind }) => kind === Kind.COMMITTED)
        .map((snapshot) => committedImage(parts, snapshot)),
    findSnapshots: (name) => named(store, name).map((snapshot) => snapshotLayers(parts, snapshot)),
    noteDamage: (imagePath, problem) => noteDamage(store, logger, imagePath, problem),
    noteSound: (imagePath) => noteSound(store, logger, imagePath),
  };
}

function allOf(store: MetadataStore): Snapshot[] {
  return store.transaction(() => [...store.snapshots.all()]);
}

function containers(store: MetadataStore): ContainerLayers[] {
  const running = runningSnapshots(store);
  return store.transaction(() =>
    running.map((container) => {
      const domainId = store.snapshots.find(container.key)?.domainId ?? NO_DOMAIN;
      const current = container.domain === '' ? NO_DOMAIN : store.domains.find(container.domain)?.id;
      return { ...container, earlierId: domainId !== NO_DOMAIN && domainId !== current };
    }),
  );
}

function committedImage(
  { store, paths, verification }: AdminSourcesParts,
  snapshot: Snapshot,
): CommittedImage {
  const { id, name, usage, trust, damage, digestsRoot } = snapshot;
  const merged = store.mergedImages.find(id);
  return {
    name,
    path: paths.image(id),
    size: usage.bytes,
    inodes: usage.inodes,
    ...{ trust, damage },
    trustReason: trust === 'unverified' ? progressOf(verification, id) : snapshot.trustReason,
    digests: digestsRoot === undefined ? undefined : { path: paths.digests(id), root: digestsRoot },
    merged: merged && {
      path: paths.mergedImage(id),
      digests: { path: paths.mergedDigests(id), root: merged.digestsRoot },
    },
  };
}

/** How far the verification of an image is. */
function progressOf({ state }: LayerVerification, id: SnapshotId): string {
  if (state.current?.order.id === id) return `${state.current.progress.files} files are verified so far`;
  return state.waiting.some((order) => order.id === id)
    ? 'it waits for its verification'
    : 'its verification failed, and begins again with the next start';
}

/** containerd puts its namespace and a number before each key, which `ctr` does not show. */
function named(store: MetadataStore, name: string): Snapshot[] {
  return store.transaction(() => {
    const exact = store.snapshots.find(name);
    if (exact !== undefined) return [exact];
    return Array.from(store.snapshots.all()).filter((snapshot) => snapshot.name.endsWith(`/${name}`));
  });
}

function snapshotLayers(parts: AdminSourcesParts, snapshot: Snapshot): SnapshotLayers {
  const { store, paths } = parts;
  const { id, name, kind, parentId, domainId, domainRule } = snapshot;
  const isImage = kind === Kind.COMMITTED;
  const top = isImage ? id : parentId;
  return store.transaction(() => {
    const chain = top === undefined ? [] : store.snapshots.chain(top);
    const attachments = chain.flatMap((layer) => store.attachments.find(layer.id, domainId)?.id ?? []);
    return {
      name,
      kind: isImage ? 'committed' : kind === Kind.VIEW ? 'view' : 'active',
      domain: isImage ? '' : (store.domains.get(domainId)?.name ?? ''),
      rule: isImage ? '' : domainRule,
      upper: kind === Kind.ACTIVE ? paths.upper(id) : undefined,
      layers: chain.map((layer) => committedImage(parts, layer)),
      attachments: isImage ? [] : attachments,
    };
  });
}
