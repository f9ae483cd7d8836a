import * as z from 'zod';

const DOMAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Whether a domain may be called so. */
export function isDomainName(name: string): boolean {
  return DOMAIN_NAME.test(name);
}

/** Domain names appear in tables and messages: one printable word, no slashes. Empty means "no domain". */
const domainName = z
  .string({
    // In TOML, k8s.io = "x" means the key io in a table k8s.
    error: ({ input }) =>
      typeof input === 'object'
        ? 'must be the name of a domain; quote a namespace that has dots: "k8s.io" = "NAME"'
        : undefined,
  })
  .refine(
    (name) => name === '' || isDomainName(name),
    'must be a name of at most 63 letters, digits, ".", "_" and "-" (or "" for none)',
  );

/** What containerd allows as the name of a namespace (its package identifiers). */
const namespaceName = z
  .string()
  .max(76)
  .regex(/^[A-Za-z0-9]+([-._][A-Za-z0-9]+)*$/);

const absolutePath = z
  .string()
  .startsWith('/', 'must be an absolute path')
  .refine((path) => !path.includes('\0'), 'must not contain a NUL');

const encoder = z.enum(['none', 'lz4', 'lz4hc', 'zstd']);

/** The encoder's own default where it is left out. */
const encoderLevel = z.int().min(1).optional();

/** Encoders that have levels, with the highest. */
const LEVELS: Readonly<Record<string, number>> = { lz4hc: 12, zstd: 22 };

function checkLevel(
  value: { readonly encoder: z.infer<typeof encoder>; readonly level?: number | undefined },
  context: z.RefinementCtx,
): void {
  const { encoder, level } = value;
  if (level === undefined) return;
  const highest = LEVELS[encoder];
  if (highest !== undefined && level <= highest) return;
  const message =
    highest === undefined
      ? `encoder "${encoder}" has no levels`
      : `${encoder} has levels from 1 to ${highest}`;
  context.addIssue({ code: 'custom', path: ['level'], message });
}

/** Largest pcluster. */
const pclusterKib = z.int().min(4).max(1024).multipleOf(4);

const glob = z.string().min(1);

/** Who gets which domain. What is left out matches everything. */
const domainRule = z
  .strictObject({
    /** Of containerd. */
    namespace: glob.optional(),
    /** Reference of the image, where the CRI plugin tells it. */
    image: glob.optional(),
    /** Labels of the snapshot, all of which must match. */
    labels: z.record(z.string().min(1), glob).default({}),
    /** The domain; "": none. */
    domain: domainName.optional(),
    /** The domain that the label `containerd.io/snapshot/ishare.domain` asks for, where one of these matches it. */
    choose: z.array(glob).min(1).optional(),
  })
  .refine(
    ({ domain, choose }) => (domain === undefined) !== (choose === undefined),
    'must have either domain or choose',
  );

export type DomainRule = z.infer<typeof domainRule>;

/** The configuration file; every key may be left out. Keys that are not here are errors. */
export const configSchema = z.strictObject({
  /** Images, upper directories and the database. Survives reboots. */
  root: absolutePath.default('/var/lib/ishare-snapshotter'),
  /** The images mount. May be on a tmpfs. */
  state: absolutePath.default('/run/ishare-snapshotter'),
  /** Socket that containerd calls. */
  address: absolutePath.default('/run/ishare-snapshotter/snapshotter.sock'),
  /** Socket that the `ishare` command calls. */
  admin_address: absolutePath.default('/run/ishare-snapshotter/admin.sock'),
  log_level: z.enum(['error', 'warn', 'info', 'debug']).default('info'),
  /** Check every block of an image against its recorded digest each time that it is read. */
  verify_on_read: z.boolean().default(false),
  /** Take EROFS images as layers where containerd's erofs differ delivers them. */
  erofs_layers: z.boolean().default(false),
  /** Where the diff service finds the layers that it is to unpack. */
  containerd: z
    .strictObject({
      /** containerd's own socket. */
      address: absolutePath.default('/run/containerd/containerd.sock'),
      /** Directory of its content store: blobs are read as files there, and not through the socket. */
      content_root: absolutePath.optional(),
    })
    .prefault({}),
  domains: z
    .strictObject({
      /** Domain of what no other rule names. */
      default: domainName.default(''),
      /** Domain by containerd namespace. */
      namespaces: z.record(namespaceName, domainName).default({}),
      /** Before these two: the first that matches. */
      rules: z.array(domainRule).default([]),
    })
    .prefault({}),
  fuse: z
    .strictObject({
      passthrough: z.boolean().default(true),
      read_ahead_kib: z.int().min(0).max(65536).default(128),
      metadata_cache_mib: z.int().min(1).max(65536).default(32),
      /** Requests of containers are answered before other programs run, as far as the system lets us. */
      realtime: z.boolean().default(true),
    })
    .prefault({}),
  build: z
    .strictObject({
      /** Images built at a time. */
      workers: z.int().min(1).max(64).default(2),
      /** How files are compressed that no rule names. */
      encoder: encoder.default('none'),
      level: encoderLevel,
      pcluster_kib: pclusterKib.default(64),
      /** Ends of files lie behind their inodes where images are compressed (Linux 5.17). */
      inline_tails: z.boolean().default(true),
      /** The first that matches a file counts. Rules say nothing where `encoder` is none. */
      rules: z
        .array(
          z
            .strictObject({
              /** Glob over the path in the layer, as in .gitignore. */
              pattern: z.string().min(1),
              encoder,
              level: encoderLevel,
              pcluster_kib: pclusterKib.optional(),
            })
            .superRefine(checkLevel),
        )
        .default([]),
    })
    .superRefine(checkLevel)
    .prefault({}),
});

export type Config = z.infer<typeof configSchema>;
