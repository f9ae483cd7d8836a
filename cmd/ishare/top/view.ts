import { InodeOrder, type OverviewResponse } from '../../../proto/admin-messages';
import { containerColumns } from '../domain-show';
import { domainColumns } from '../domains';
import { imageColumns } from '../images';
import { inodeColumns } from '../inodes';
import { formatTable, type Column } from '../output';

export const SORT_KEYS = ['saved', 'cached', 'name'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export const VIEW_NAMES = ['containers', 'images', 'domains', 'inodes'] as const;
export type ViewName = (typeof VIEW_NAMES)[number];

interface Measured {
  readonly cached_bytes: number;
  readonly saved_bytes: number;
}

/** One list of an overview as a table, sorted, with as many rows as are wanted. */
type View = (overview: OverviewResponse, sort: SortKey, rows: number) => string;

function view<Row extends Measured>(
  rowsOf: (overview: OverviewResponse) => readonly Row[],
  columns: readonly Column<Row>[],
  nameOf: (row: Row) => string,
): View {
  const byName = (a: Row, b: Row): number => (nameOf(a) < nameOf(b) ? -1 : 1);
  const comparisons: Readonly<Record<SortKey, (a: Row, b: Row) => number>> = {
    saved: (a, b) => b.saved_bytes - a.saved_bytes || b.cached_bytes - a.cached_bytes || byName(a, b),
    cached: (a, b) => b.cached_bytes - a.cached_bytes || byName(a, b),
    name: byName,
  };
  return (overview, sort, rows) =>
    formatTable(columns, [...rowsOf(overview)].sort(comparisons[sort]).slice(0, rows));
}

export const views: Readonly<Record<ViewName, View>> = {
  containers: view(
    ({ containers }) => containers,
    containerColumns,
    ({ key }) => key,
  ),
  images: view(
    ({ images }) => images,
    imageColumns,
    ({ name }) => name,
  ),
  domains: view(
    ({ domains }) => domains,
    domainColumns,
    ({ name }) => name,
  ),
  inodes: view(
    ({ inodes }) => inodes,
    inodeColumns,
    ({ fingerprint }) => fingerprint,
  ),
};

/** The order in which the daemon is to choose the first of the inodes. */
export const inodeOrderOf: Readonly<Record<SortKey, InodeOrder>> = {
  saved: InodeOrder.SAVED,
  cached: InodeOrder.CACHED,
  name: InodeOrder.FINGERPRINT,
};
