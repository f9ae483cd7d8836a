import { stringify } from 'smol-toml';

/** A snapshotter that runs outside containerd. */
export interface ProxySnapshotter {
  /** The name that `--snapshotter` takes. */
  readonly name: string;
  /** Its unix socket. */
  readonly socket: string;
  /** Layers come as EROFS images, which containerd 2.1 makes of those that are none: it wants mkfs.erofs 1.9 for that. */
  readonly erofsLayers?: boolean;
  /** Layers are unpacked by the diff service on the same socket, which only 2.x knows how to use. */
  readonly unpacksItself?: boolean;
}

const WALKING = 'walking';

/** A proxy as containerd's configuration has it: a snapshotter, and a differ where it unpacks by itself. */
function pluginsOf({ name, socket, unpacksItself }: ProxySnapshotter): [string, object][] {
  const snapshotter: [string, object] = [name, { type: 'snapshot', address: socket }];
  if (unpacksItself !== true) return [snapshotter];
  return [snapshotter, [diffProxyOf(name), { type: 'diff', address: socket }]];
}

/** The differ that unpacks layers for a proxy. */
function differOf({ name, erofsLayers, unpacksItself }: ProxySnapshotter): string {
  if (unpacksItself === true) return diffProxyOf(name);
  return erofsLayers === true ? 'erofs' : WALKING;
}

function diffProxyOf(snapshotter: string): string {
  return `${snapshotter}-diff`;
}

export interface ContainerdLayout {
  /** Major version, 1 or 2: the configuration's own version follows it. */
  readonly major: number;
  readonly root: string;
  readonly state: string;
  /** Where containerd listens. */
  readonly socket: string;
  /** Scratch space of the `opt` plugin, which would be /opt/containerd. */
  readonly optional: string;
  readonly proxies: readonly ProxySnapshotter[];
  /** Containerd's own snapshotters that images are unpacked for, besides the proxies. */
  readonly unpackFor: readonly string[];
  /** Whether images are unpacked for containerd's own erofs snapshotter too: 2.1 or later, with mkfs.erofs in its PATH. */
  readonly unpackForErofs?: boolean;
  /** `linux/amd64` and the like. */
  readonly platform: string;
}

/**
 * config.toml of a containerd that touches nothing outside its own directories, except /run/containerd/s, which is
 * compiled into it. CRI is off: it would set up networks.
 */
export function containerdConfig(layout: ContainerdLayout): string {
  const modern = layout.major >= 2;
  return stringify({
    // 2.x reads version 2 files too, but takes their plugin names for those of 1.x.
    version: modern ? 3 : 2,
    root: layout.root,
    state: layout.state,
    disabled_plugins: modern
      ? ['io.containerd.cri.v1.images', 'io.containerd.cri.v1.runtime', 'io.containerd.grpc.v1.cri']
      : ['io.containerd.grpc.v1.cri'],
    grpc: { address: layout.socket },
    ...(layout.proxies.length === 0
      ? {}
      : {
          proxy_plugins: Object.fromEntries(layout.proxies.flatMap(pluginsOf)),
        }),
    plugins: {
      'io.containerd.internal.v1.opt': { path: layout.optional },
      ...(modern ? modernPlugins(layout) : {}),
    },
  });
}

/** 2.x unpacks inside the daemon, for the snapshotters that are listed, and has NRI, whose socket is shared. */
function modernPlugins(layout: ContainerdLayout): Record<string, object> {
  return {
    'io.containerd.nri.v1.nri': { disable: true },
    'io.containerd.transfer.v1.local': {
      unpack_config: [
        ...(layout.unpackForErofs === true
          ? [{ platform: layout.platform, snapshotter: 'erofs', differ: 'erofs' }]
          : []),
        // Each with its differ: where none is named containerd takes the first of all, and a proxy may be that.
        ...layout.unpackFor.map((snapshotter) => ({
          platform: layout.platform,
          snapshotter,
          differ: WALKING,
        })),
        ...layout.proxies.map((proxy) => ({
          platform: layout.platform,
          snapshotter: proxy.name,
          differ: differOf(proxy),
        })),
      ],
    },
    // For clients that unpack by themselves.
    'io.containerd.service.v1.diff-service': {
      default: [
        ...layout.proxies.filter(({ unpacksItself }) => unpacksItself).map(({ name }) => diffProxyOf(name)),
        WALKING,
      ],
    },
    ...(layout.proxies.some(({ erofsLayers }) => erofsLayers)
      ? { 'io.containerd.differ.v1.erofs': { mkfs_options: ['--xattr-inode-digest=trusted.digest'] } }
      : {}),
  };
}
