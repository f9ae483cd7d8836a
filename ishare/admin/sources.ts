import type { ImageTrust } from '../image-trust';
import type { RecordedDigests } from '../layer-server';

/** A running container as the snapshotter sees it: an active snapshot or view above images. */
export interface ContainerLayers {
  readonly key: string;
  /** What in the configuration chose its domain, and the domain; "": none. */
  readonly rule: string;
  readonly domain: string;
  /** It is in an id that the domain had before it was rotated. */
  readonly earlierId: boolean;
  /** Attachments of its layers, topmost first. */
  readonly attachments: readonly number[];
}

/** A committed image. */
export interface CommittedImage {
  readonly name: string;
  readonly path: string;
  /** Bytes on disk. */
  readonly size: number;
  readonly inodes: number;
  readonly trust: ImageTrust;
  /** Why its fingerprints are not believed, or how far their verification is; or "". */
  readonly trustReason: string;
  /** What was found wrong with the file, or "". */
  readonly damage: string;
  /** Undefined: none were recorded when it was built. */
  readonly digests: RecordedDigests | undefined;
  /** The image of the merged metadata of it and all below it, where there is one. */
  readonly merged: { readonly path: string; readonly digests: RecordedDigests } | undefined;
}

/** A snapshot with the images that make up its tree. */
export interface SnapshotLayers {
  /** Key or name. */
  readonly name: string;
  readonly kind: 'active' | 'view' | 'committed';
  /** Empty for a committed one. */
  readonly domain: string;
  readonly rule: string;
  /** What the container has written; undefined where it cannot write. */
  readonly upper: string | undefined;
  /** Topmost first; of a committed snapshot itself is the first. */
  readonly layers: readonly CommittedImage[];
  /** Attachments that its layers have, where it runs. */
  readonly attachments: readonly number[];
}

/** What the daemon keeps of a domain. */
export interface DomainIdentity {
  /** Public name of its directory in both mounts. */
  readonly token: string;
  /** 32 bytes. Private. */
  readonly secret: Buffer;
}

/** A layer whose image is being made, or waits for it. */
export interface LayerBuild {
  readonly key: string;
  readonly name: string;
  readonly building: boolean;
  readonly seconds: number;
  /** Undefined as long as nothing is known. */
  readonly progress:
    | {
        readonly stage: 'reading' | 'writing';
        readonly inodes: number;
        readonly totalInodes: number;
        readonly bytes: number;
        readonly totalBytes: number;
      }
    | undefined;
  /** Bytes a second in this stage. */
  readonly rate: number;
}

/** What the admin service asks of the rest of the daemon. */
export interface AdminSources {
  readonly version: string;
  readonly root: string;
  readonly state: string;
  readonly address: string;
  /** Whether the configuration allows passthrough. */
  readonly passthroughAllowed: boolean;
  /** Reads the configuration again; see LivePolicy. */
  reload(): Promise<string[]>;
  /** Active snapshots and views above images, with the attachments that their layers have. */
  containers(): readonly ContainerLayers[];
  /** Calls of containerd that were not answered for long: so far, and at this moment. */
  slowCalls(): { readonly noticed: number; readonly slow: number };
  /** In the order in which they came. */
  builds(): readonly LayerBuild[];
  /** Images of layers that were made so far, and those whose making failed or was given up. */
  imagesMade(): { readonly done: number; readonly failed: number };
  /** Images that are made at the same time. */
  readonly buildsAtOnce: number;
  /** Number of snapshots of all kinds. */
  snapshots(): number;
  /** Names of all domains that were ever used or are configured. */
  domainNames(): readonly string[];
  /** Undefined where nothing was in the domain so far. */
  domain(name: string): DomainIdentity | undefined;
  /** Gives a domain a new identity, and tells how many containers stay in an earlier one. */
  rotateDomain(name: string): number;
  /** All committed images. */
  images(): readonly CommittedImage[];
  /** Snapshots of this key or name, or where none has it, those in which it stands behind the last "/". */
  findSnapshots(name: string): readonly SnapshotLayers[];
  /** An image file was found to be wrong, or right. */
  noteDamage(imagePath: string, problem: string): void;
  noteSound(imagePath: string): void;
}
