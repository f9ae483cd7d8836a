import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { errorCode } from '../../../linux/errno';
import { CommandError } from '../command-error';
import { ImageMount } from '../../../ishare/image-mount';
import { asCommandError } from './expected-failure';

/** What to mount where. It travels to the background process as JSON. Paths are absolute. */
export interface MountOrder {
  readonly image: string;
  /** Without symbolic links. */
  readonly directory: string;
  readonly devices: readonly string[];
  readonly allowOther: boolean;
}

/** A mount that answers. */
export interface MountReport extends MountOrder {
  /** `major:minor` of the mount; the minor number names its connection in /sys/fs/fuse/connections. */
  readonly device: string;
  /** The process that serves it. */
  readonly pid: number;
}

/** Far enough that compressed data is decoded ahead of a sequential reader, in READs of the largest size. */
const READ_AHEAD_KIB = 1024;
const METADATA_CACHE_BYTES = 64 << 20;
const DECODED_CACHE_BYTES = 64 << 20;

/** Checks a mount point as mount(8) does. Returns its path without symbolic links. Throws CommandError. */
export async function mountPoint(given: string): Promise<string> {
  try {
    const directory = await realpath(given);
    if (!(await stat(directory)).isDirectory())
      throw new CommandError(`${given}: mount point is not a directory`);
    return directory;
  } catch (error) {
    switch (errorCode(error)) {
      case 'ENOENT':
        throw new CommandError(`${given}: mount point does not exist`, { cause: error });
      case 'ENOTDIR':
        throw new CommandError(`${given}: mount point is not a directory`, { cause: error });
      case 'ENOTCONN': {
        const remedy = `"ishare image umount ${given}" takes it away`;
        throw new CommandError(`${given}: a mount without a server is there; ${remedy}`, { cause: error });
      }
      default:
        throw asCommandError(error);
    }
  }
}

/** An order from the words of the command line. */
export async function mountOrder(
  image: string,
  directory: string,
  options: { readonly devices: readonly string[]; readonly allowOther: boolean },
): Promise<MountOrder> {
  return {
    image: path.resolve(image),
    directory: await mountPoint(directory),
    devices: options.devices.map((device) => path.resolve(device)),
    allowOther: options.allowOther,
  };
}

/** Mounts; this thread serves from here on. Throws CommandError for what the user can mend. */
export async function startMount(
  order: MountOrder,
  onFault: (operation: string, error: unknown) => void,
): Promise<ImageMount> {
  try {
    return await ImageMount.start({
      ...order,
      readAheadKib: READ_AHEAD_KIB,
      metadataCacheBytes: METADATA_CACHE_BYTES,
      decodedCacheBytes: DECODED_CACHE_BYTES,
      onFault,
    });
  } catch (error) {
    throw asCommandError(error);
  }
}

export function reportOf(order: MountOrder, device: string, pid: number): MountReport {
  return { ...order, device, pid };
}
