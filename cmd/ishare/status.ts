import { Command } from 'commander';
import { colors } from '../colors';
import type { StatusResponse } from '../../proto/admin-messages';
import { formatBytes, print, printJson } from './output';
import { askDaemon, withDaemonOptions, type DaemonOptions } from './shared-options';

export function statusCommand(): Command {
  return withDaemonOptions(new Command('status').description('what the daemon is doing')).action(
    async (options: DaemonOptions) => {
      const status = await askDaemon(options, (daemon) =>
        daemon.call<StatusResponse>((client, ...rest) => client.Status({}, ...rest)),
      );
      if (options.json) printJson(status);
      else print(describe(status));
    },
  );
}

function describe(status: StatusResponse): string {
  const rows: [string, string][] = [
    [
      'daemon',
      `ishare-snapshotter ${status.version}, pid ${status.pid}, up ${duration(status.uptime_seconds)}`,
    ],
    ['kernel', status.kernel],
    ['sharing', status.passthrough ? colors.green(status.sharing) : colors.yellow(status.sharing)],
    ['snapshots', `${status.snapshots} (${status.images} images, ${status.attached_images} attached)`],
    [
      'shared inodes',
      `${status.dedup_inodes} (${status.backing_ids} opened so far, ${status.open_files} files open)`,
    ],
    ['page cache', `${formatBytes(status.cached_bytes)} shared, saves ${formatBytes(status.saved_bytes)}`],
    ['memory', `${formatBytes(status.rss_bytes)} (this daemon)`],
    ['root', status.root],
    ['state', status.state],
    ['address', status.address],
  ];
  return rows.map(([name, value]) => `${colors.bold(name.padEnd(14))}${value}`).join('\n');
}

function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / 86400);
  const hours = Math.floor((whole % 86400) / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  if (minutes > 0) return `${minutes}m ${whole % 60}s`;
  return `${whole}s`;
}
