import type { OverviewResponse, StatusResponse } from '../../../proto/admin-messages';
import { colors } from '../../colors';
import { visibleText } from '../../visible-text';
import { buildLines } from '../build-lines';
import { formatBytes } from '../output';
import { duration } from '../status';
import { requestRates } from './request-rates';
import { views, type SortKey, type ViewName } from './view';

/** What one picture shows. */
export interface Frame {
  /** Undefined before the daemon has answered for the first time. */
  readonly overview: OverviewResponse | undefined;
  /** The answer before it, for rates. */
  readonly previous: OverviewResponse | undefined;
  /** Why there is no newer answer. */
  readonly problem: string | undefined;
  readonly view: ViewName;
  readonly sort: SortKey;
  /** Rows of the table, at most. */
  readonly rows: number;
}

/** Layers that are told of one by one. */
const BUILDS_SHOWN = 4;

/** Lines above the rows of the table while no layer is being made: four of the header, an empty one, and titles of columns. */
export const HEAD_LINES = 6;

/** The picture as text. */
export function frameText({ overview, previous, problem, view, sort, rows }: Frame): string {
  const notice = problem === undefined ? [] : [colors.yellow(visibleText(problem))];
  if (overview === undefined) return notice.join('\n');
  const { status } = overview;
  const builds = buildLines(status.builds, BUILDS_SHOWN).map((line) => `  ${line}`);
  const { images, ishare } = requestRates(status, previous?.status);
  return [
    `${colors.bold('ishare top')}: pid ${status.pid}, up ${duration(status.uptime_seconds)}, sharing is ${status.sharing}`,
    [
      `cached ${colors.bold(formatBytes(status.cached_bytes))}`,
      `saved ${colors.bold(formatBytes(status.saved_bytes))}`,
      `${status.attached_images} images attached`,
      `${status.dedup_inodes} shared inodes`,
      `${status.open_files} files open`,
    ].join(', '),
    [
      `requests/s: images mount ${images}, ishare mount ${ishare}`,
      `memory of the daemon ${formatBytes(status.rss_bytes)}`,
      ...buildsText(status),
    ].join('; '),
    ...builds,
    notice[0] ?? `${view} by ${sort}`,
    '',
    views[view](overview, sort, Math.max(1, rows - builds.length)),
  ].join('\n');
}

/** What is being committed, if anything is. */
function buildsText({ builds }: StatusResponse): string[] {
  if (builds.length === 0) return [];
  const running = builds.filter((build) => build.running).length;
  return [`layers being made: ${running}, waiting: ${builds.length - running}`];
}
