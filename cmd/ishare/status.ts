import { Command } from 'commander';
import { colors } from '../colors';
import type { StatusResponse } from '../../proto/admin-messages';
import { buildLines } from './build-lines';
import { formatBytes, formatFacts, print, printJson } from './output';
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
  return formatFacts([
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
    ...builds(status),
    ...slowness(status),
    ['memory', `${formatBytes(status.rss_bytes)} (this daemon)`],
    ['root', status.root],
    ['state', status.state],
    ['address', status.address],
  ]);
}

/** Lines while layers are being committed. */
function builds({ builds, builds_at_once }: StatusResponse): [string, string][] {
  if (builds.length === 0) return [];
  const running = builds.filter(({ running }) => running);
  const waiting = builds.length - running.length;
  const oldest = Math.max(...builds.map(({ seconds }) => seconds));
  return [
    [
      'builds',
      `${running.length} of ${builds_at_once} at once, ${waiting} waiting, the oldest for ${duration(oldest)}`,
    ],
    ...buildLines(builds, builds_at_once).map((line): [string, string] => ['', line]),
  ];
}

/** A line where something had to wait for long, which is to be looked up in the log. */
function slowness(status: StatusResponse): [string, string][] {
  const { slow_requests, slow_requests_now, slow_calls, slow_calls_now } = status;
  if (slow_requests + slow_calls === 0) return [];
  const text = (what: string, all: number, now: number): string => `${all} ${what} (${now} at this moment)`;
  return [
    [
      'slow',
      `${text('file requests', slow_requests, slow_requests_now)}, ${text('calls', slow_calls, slow_calls_now)}: see the log`,
    ],
  ];
}

/** `2d 3h`, `5m 12s`. */
export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / 86400);
  const hours = Math.floor((whole % 86400) / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  if (minutes > 0) return `${minutes}m ${whole % 60}s`;
  return `${whole}s`;
}
