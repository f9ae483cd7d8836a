import path from 'node:path';
import { ConfigError, loadConfig, type ConfigOverrides } from '../../../config/load';
import { SnapshotterError } from '../../../snapshotter/errors';
import { Paths } from '../../../snapshotter/paths';
import type { StatusResponse } from '../../../proto/admin-messages';
import { withoutLinks } from '../../daemon/private-directory';
import { StartError } from '../../daemon/start-error';
import { CommandError } from '../command-error';

/** What the command line says of where to look. */
export interface PlaceOptions {
  readonly config?: string;
  readonly root?: string;
  readonly state?: string;
  readonly adminAddress?: string;
}

/** Where one daemon keeps its things. */
export interface Place {
  readonly paths: Paths;
  /** STATE without symbolic links, as the mount table has it. */
  readonly state: string;
  /** Where the images mount belongs. */
  readonly imagesDirectory: string;
  /** Sockets of containerd and of `ishare`. */
  readonly address: string;
  readonly adminAddress: string;
}

/** The admin socket that the options name, or the configuration. Rejects with CommandError. */
export async function adminAddressOf(options: PlaceOptions): Promise<string> {
  return (await configured(options)).admin_address;
}

/**
 * Where to look: what the options say; else what the daemon says, which may have options of its own; else the
 * configuration. Rejects with CommandError where options and daemon contradict each other.
 */
export async function placeOf(options: PlaceOptions, status: StatusResponse | undefined): Promise<Place> {
  const config = await configured(options);
  const directory = async (name: 'root' | 'state'): Promise<string> => {
    const given = options[name];
    const used = status?.[name];
    const found = await withoutLinks(`--${name}`, given ?? used ?? config[name]);
    if (used !== undefined && found !== used) {
      throw new CommandError(
        `the daemon behind ${config.admin_address} uses ${used}, not ${found} (--admin-address names another one)`,
      );
    }
    return found;
  };
  try {
    const state = await directory('state');
    return {
      paths: new Paths(await directory('root')),
      state,
      imagesDirectory: path.join(state, 'images'),
      address: status?.address ?? config.address,
      adminAddress: config.admin_address,
    };
  } catch (error) {
    if (error instanceof StartError || error instanceof SnapshotterError)
      throw new CommandError(error.message, { cause: error });
    throw error;
  }
}

async function configured(options: PlaceOptions): ReturnType<typeof loadConfig> {
  const overrides: ConfigOverrides = {
    ...(options.root !== undefined && { root: options.root }),
    ...(options.state !== undefined && { state: options.state }),
    ...(options.adminAddress !== undefined && { admin_address: options.adminAddress }),
  };
  try {
    return await loadConfig(options.config, overrides);
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(error.message, { cause: error });
    throw error;
  }
}
