import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { errorCode } from '../../../linux/errno';
import { cacheStat } from '../../../linux/page-cache';
import { fine, type Finding } from './finding';
import { ifPresent } from './present';

/** What this kernel can do. */
export interface KernelLook {
  /** As uname(2) says: `6.12.1-distribution`. */
  readonly release: string;
  readonly fuseDevice: boolean;
  /** Names in /proc/filesystems; what is a module and not loaded yet is missing. */
  readonly fileSystems: ReadonlySet<string>;
  /** Whether the kernel was built with FUSE passthrough; undefined where its configuration is not to be read. */
  readonly passthroughBuilt: boolean | undefined;
  /** What the running daemon says, which has tried. */
  readonly passthroughUsed: boolean | undefined;
  readonly cachestat: boolean;
}

export async function lookAtKernel(passthroughUsed: boolean | undefined): Promise<KernelLook> {
  const table = await readFile('/proc/filesystems', 'utf8');
  return {
    release: release(),
    fuseDevice: existsSync('/dev/fuse'),
    fileSystems: new Set(table.split('\n').map((line) => line.split('\t')[1] ?? '')),
    passthroughBuilt: await passthroughBuilt(),
    passthroughUsed,
    cachestat: await hasCachestat(),
  };
}

/** FUSE passthrough and FUSE_NOTIFY_RESEND are of the same release. */
const PASSTHROUGH_SINCE = [6, 9] as const;

/** One line each of what the kernel can do, and of what is lost without it. */
export function kernelFindings(kernel: KernelLook): Finding[] {
  const recent = isAtLeast(kernel.release, PASSTHROUGH_SINCE);
  const ability = (there: boolean, what: string, loss: Loss): Finding =>
    there
      ? fine('kernel', what, kernel.release)
      : { area: 'kernel', where: kernel.release, what: `no ${what}`, ...loss };
  return [
    ability(kernel.fuseDevice, 'FUSE (/dev/fuse)', {
      level: 'problem',
      why: 'no layer can be served',
      remedy: 'modprobe fuse, or give the container the device',
    }),
    ability(kernel.fileSystems.has('overlay'), 'overlayfs', {
      level: 'problem',
      why: 'containers have no root file system',
      remedy: 'modprobe overlay',
    }),
    ability(
      kernel.passthroughUsed ?? (recent && kernel.passthroughBuilt !== false),
      'FUSE passthrough (Linux 6.9)',
      {
        level: 'note',
        why: 'read(2) shares pages, mmap and exec do not',
        remedy: 'a newer kernel, CONFIG_FUSE_PASSTHROUGH=y, fuse.passthrough = true',
      },
    ),
    ability(recent, 'resending of FUSE requests (Linux 6.9)', {
      level: 'note',
      why: 'requests in flight when the daemon is killed wait for ever',
      remedy: 'a newer kernel; until then stop the daemon with SIGTERM only',
    }),
    ability(kernel.cachestat, 'cachestat (Linux 6.5)', {
      level: 'note',
      why: 'cached bytes are counted with mincore, which maps every file',
      remedy: 'a newer kernel',
    }),
    fine('kernel', 'EROFS of the kernel is not needed: the daemon reads images itself', kernel.release),
  ];
}

type Loss = Pick<Finding, 'level' | 'why' | 'remedy'>;

function isAtLeast(found: string, [major, minor]: readonly [number, number]): boolean {
  const [foundMajor = 0, foundMinor = 0] = found.split(/[.-]/).map(Number);
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}

/** Distributions put the configuration beside the kernel. */
async function passthroughBuilt(): Promise<boolean | undefined> {
  const text = await ifPresent(readFile(`/boot/config-${release()}`, 'utf8'));
  return text === undefined ? undefined : text.includes('\nCONFIG_FUSE_PASSTHROUGH=y\n');
}

async function hasCachestat(): Promise<boolean> {
  await using file = await open(process.execPath);
  try {
    cacheStat(file.fd);
    return true;
  } catch (error) {
    // A seccomp filter of an older container runtime refuses what it does not know.
    if (errorCode(error) === 'ENOSYS' || errorCode(error) === 'EPERM') return false;
    throw error;
  }
}
