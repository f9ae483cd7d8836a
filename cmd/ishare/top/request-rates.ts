import type { StatusResponse } from '../../../proto/admin-messages';

/** Requests of the kernel per second to each mount, as text; "-" where nothing tells. */
export interface RequestRates {
  readonly images: string;
  readonly ishare: string;
}

const UNKNOWN: RequestRates = { images: '-', ishare: '-' };

/** The rates between two answers of the same daemon. */
export function requestRates(now: StatusResponse, before: StatusResponse | undefined): RequestRates {
  if (before?.pid !== now.pid) return UNKNOWN;
  const seconds = now.uptime_seconds - before.uptime_seconds;
  if (seconds <= 0) return UNKNOWN;
  const rate = (
    counts: Readonly<Record<string, number>>,
    earlier: Readonly<Record<string, number>>,
  ): string => ((total(counts) - total(earlier)) / seconds).toFixed(1);
  return {
    images: rate(now.images_requests, before.images_requests),
    ishare: rate(now.ishare_requests, before.ishare_requests),
  };
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
