import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DebianPackages, linkMergedUsr, type PackageVersion } from './debian-packages';
import { writeOciArchive, type WrittenImage } from './oci-archive';

/** One of the two images, and what is in it. */
export interface RedisImage extends WrittenImage {
  /** Of redis-server, as Debian writes it: `5:7.0.15-1~deb12u10`. */
  readonly version: string;
  /** The base layer's packages. */
  readonly libraries: readonly PackageVersion[];
  /** The application layer's packages. */
  readonly program: readonly PackageVersion[];
}

export interface RedisPair {
  /** The older first. */
  readonly images: readonly [RedisImage, RedisImage];
  /** True where the machine's apt sources hold one version only: then both images hold that one. */
  readonly sameVersion: boolean;
}

export interface RedisPairOptions {
  /** Receives `redis-a.tar` and `redis-b.tar`; everything else that is written there is removed again. */
  readonly directory: string;
  readonly signal?: AbortSignal;
  /** Called with a sentence when a step begins. */
  readonly onStep?: (step: string) => void;
}

/** Listens in the container's own network namespace only, and writes nothing. */
const ENTRYPOINT = [
  '/usr/bin/redis-server',
  '--bind',
  '127.0.0.1',
  '--port',
  '6379',
  '--save',
  '',
  '--dir',
  '/tmp',
];

/** When the images were "built": files that are made here get this time, so the same packages give the same image. */
const BUILD_SECONDS = [1_750_000_000, 1_750_604_800] as const;

/**
 * Makes two neighbouring images of redis-server, as two builds of one Dockerfile a week apart would be: each with a
 * base layer (C library and the other libraries) and an application layer of its own. No layer is the same in both, so
 * whatever is shared between them is shared by file content.
 */
export async function makeRedisPair(options: RedisPairOptions): Promise<RedisPair> {
  const { directory, signal, onStep } = options;
  onStep?.('Asking apt for versions of redis-server');
  const apt = new DebianPackages(signal);
  const [newest, second] = await apt.versions('redis-server');
  if (newest === undefined) throw new Error('redis-server: no version');
  const versions = [second ?? newest, newest] as const;
  const sameVersion = second === undefined;
  const make = (index: 0 | 1): Promise<RedisImage> => {
    const version = versions[index];
    const tag =
      version.replace(/^\d+:/, '').replace(/[^\w.-]/g, '-') + (sameVersion ? `-build${index + 1}` : '');
    return makeImage(apt, version, `quickstart.local/redis:${tag}`, index, options);
  };
  const older = await make(0);
  const newer = await make(1);
  await rm(join(directory, 'debs'), { recursive: true, force: true });
  return { images: [older, newer], sameVersion };
}

async function makeImage(
  apt: DebianPackages,
  version: string,
  reference: string,
  index: 0 | 1,
  { directory, signal, onStep }: RedisPairOptions,
): Promise<RedisImage> {
  const name = `redis-${index === 0 ? 'a' : 'b'}`;
  const work = join(directory, `${name}.work`);
  const base = join(work, 'base');
  const application = join(work, 'application');
  try {
    onStep?.(`Downloading redis-server ${version} and its libraries`);
    const packages = await apt.closure({ name: 'redis-server', version }, new Set(['redis-tools']));
    const isProgram = (found: PackageVersion): boolean => found.name.startsWith('redis-');
    const program = packages.filter(isProgram);
    const libraries = packages.filter((found) => !isProgram(found));
    // Both images ask for the same libraries: what the first has downloaded serves the second.
    await apt.unpack(libraries, join(directory, 'debs'), base);
    await apt.unpack(program, join(directory, 'debs'), application);
    await linkMergedUsr(base);
    await writeBaseFiles(base, reference);
    onStep?.(`Packing the image of redis-server ${version}`);
    const clamp = { modifiedSeconds: BUILD_SECONDS[index] };
    const image = await writeOciArchive(
      {
        reference,
        layers: [
          { directory: base, ...clamp },
          { directory: application, ...clamp },
        ],
        config: { entrypoint: ENTRYPOINT },
        compressionLevel: 1,
      },
      join(directory, `${name}.tar`),
      signal,
    );
    return { ...image, version, libraries, program };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What a process expects of a root directory, beyond its libraries. `build` makes one image's base unlike another's. */
async function writeBaseFiles(root: string, build: string): Promise<void> {
  await chmod(root, 0o755);
  for (const name of ['dev', 'etc', 'proc', 'root', 'run', 'sys', 'tmp', 'var']) {
    await mkdir(join(root, name), { recursive: true });
  }
  await chmod(join(root, 'tmp'), 0o1777);
  const files = {
    passwd: 'root:x:0:0:root:/root:/usr/sbin/nologin\nredis:x:999:999::/var/lib/redis:/usr/sbin/nologin\n',
    group: 'root:x:0:\nredis:x:999:\n',
    'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
    'image-build': `${build}\n`,
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(root, 'etc', name), content);
}
