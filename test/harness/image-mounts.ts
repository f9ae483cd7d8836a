import { abortConnection } from '../../fuse/connection-control';
import { Watchdog } from '../../fuse/testing/watchdog';
import { IMAGE_MOUNT_TYPE } from '../../ishare/image-mount';
import { UMOUNT, unmount } from '../../linux/mount';
import { readMountTable } from '../../linux/mount-table';
import { WatchedProcess } from '../../linux/process-end';
import { eventually } from '../../linux/testing/eventually';
import { ForegroundCommand, imageCommand } from './image-command';

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
 * Takes a mount away, in whatever state it is. Numbers of devices come again as soon as a mount is gone, for mounts of any type:
 * the number alone may be that of somebody else's by now.
 */
async function endMount(report: MountReport, server: WatchedProcess | undefined): Promise<void> {
  // As long as the server is there, so is the connection, and the number is its own.
  const served = server !== undefined && !(await server.ends(0));
  const mounts = (await readMountTable()).filter(
    ({ device, type, target }) =>
      device === report.device && type === IMAGE_MOUNT_TYPE && (served || target === report.directory),
  );
  for (const { target } of mounts) unmount(target, UMOUNT.DETACH);
  if (served) await abortConnection(connectionOf(report));
  if (server !== undefined && !(await server.ends(10_000))) process.kill(server.pid, 'SIGKILL');
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
