import { dirname } from 'node:path';
import { Watchdog } from '../../fuse/testing/watchdog';
import { IMAGE_MOUNT_TYPE } from '../../ishare/image-mount';
import { UMOUNT, unmount } from '../../linux/mount';
import { readMountTable } from '../../linux/mount-table';
import { WatchedProcess } from '../../linux/process-end';
import { eventually } from '../../linux/testing/eventually';
import { ForegroundCommand, imageCommand } from './image-command';

/** So long a server takes at most that nobody uses any more (ms). */
const PATIENCE_MS = 2_000;

/** What `ishare image mount --json` prints. */
export interface MountReport {
  readonly image: string;
  readonly directory: string;
  readonly devices: readonly string[];
  readonly allow_other: boolean;
  readonly device: string;
  readonly pid: number;
}

/** What `ishare image mount --detach` has mounted, under a watchdog. Disposing ends it, whatever state it is in. */
export class BackgroundMount implements AsyncDisposable {
  private constructor(
    readonly report: MountReport,
    private readonly server: WatchedProcess | undefined,
    private readonly watchdog: Watchdog,
  ) {}

  static async start(
    image: string,
    directory: string,
    ...options: readonly string[]
  ): Promise<BackgroundMount> {
    const { exitCode, stdout, stderr } = await imageCommand(
      ...['mount', '--detach', '--json', ...options, image, directory],
    );
    if (exitCode !== 0) throw new Error(`mount ended with ${exitCode}: ${stderr}`);
    const report = JSON.parse(stdout) as MountReport;
    const server = await WatchedProcess.find(report.pid);
    return new BackgroundMount(report, server, await Watchdog.over(connectionOf(report)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watchdog[Symbol.asyncDispose]();
    await endMount(this.report, this.server);
  }
}

function connectionOf({ device }: MountReport): number {
  return Number(device.split(':')[1]);
}

/**
 * Takes a mount away, in whatever state it is. Numbers of devices come again as soon as a mount is gone: by the number alone it
 * might be somebody else's that is unmounted or aborted. So it must lie where the test mounts its own, and who still uses it loses it
 * with its server.
 */
async function endMount(report: MountReport, server: WatchedProcess | undefined): Promise<void> {
  const own = `${dirname(report.directory)}/`;
  const mounts = (await readMountTable()).filter(
    ({ device, type, target }) =>
      device === report.device && type === IMAGE_MOUNT_TYPE && target.startsWith(own),
  );
  for (const { target } of mounts) unmount(target, UMOUNT.DETACH);
  if (server !== undefined && !(await server.ends(PATIENCE_MS))) process.kill(server.pid, 'SIGKILL');
}

/** What `ishare image mount` has mounted and serves in the foreground, under a watchdog. Disposing ends it. */
export class ForegroundMount implements AsyncDisposable {
  private constructor(
    readonly command: ForegroundCommand,
    readonly report: MountReport,
    private readonly server: WatchedProcess | undefined,
    private readonly watchdog: Watchdog,
  ) {}

  static async start(
    image: string,
    directory: string,
    ...options: readonly string[]
  ): Promise<ForegroundMount> {
    const command = new ForegroundCommand('mount', '--json', ...options, image, directory);
    await command.says('"pid"');
    await eventually('the report is whole', () => command.stdout.includes('}'));
    const report = JSON.parse(command.stdout) as MountReport;
    const server = await WatchedProcess.find(report.pid);
    return new ForegroundMount(command, report, server, await Watchdog.over(connectionOf(report)));
  }

  /** For fusectl. */
  get connection(): number {
    return connectionOf(this.report);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watchdog[Symbol.asyncDispose]();
    await endMount(this.report, this.server);
    await this.command[Symbol.asyncDispose]();
  }
}
