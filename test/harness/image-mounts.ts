import { abortConnection } from '../../fuse/connection-control';
import { Watchdog } from '../../fuse/testing/watchdog';
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
    return new BackgroundMount(report, await Watchdog.over(connectionOf(report)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watchdog[Symbol.asyncDispose]();
    await endMount(this.report);
  }
}

function connectionOf({ device }: MountReport): number {
  return Number(device.split(':')[1]);
}

async function endMount(report: MountReport): Promise<void> {
  for (const { device, target } of await readMountTable()) {
    if (device === report.device) unmount(target, UMOUNT.DETACH);
  }
  await abortConnection(connectionOf(report));
  const server = await WatchedProcess.find(report.pid);
  if (server !== undefined && !(await server.ends(10_000))) process.kill(report.pid, 'SIGKILL');
}

/** What `ishare image mount` has mounted and serves in the foreground, under a watchdog. Disposing ends it. */
export class ForegroundMount implements AsyncDisposable {
  private constructor(
    readonly command: ForegroundCommand,
    readonly report: MountReport,
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
    return new ForegroundMount(command, report, await Watchdog.over(connectionOf(report)));
  }

  /** For fusectl. */
  get connection(): number {
    return connectionOf(this.report);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watchdog[Symbol.asyncDispose]();
    await endMount(this.report);
    await this.command[Symbol.asyncDispose]();
  }
}
