import { release } from 'node:os';
import type {
  BuildState,
  DomainState,
  ImageState,
  InodeState,
  ListInodesRequest,
  OverviewRequest,
  OverviewResponse,
  StatusResponse,
} from '../../proto/admin-messages';
import { sharingSentence } from '../sharing-sentence';
import { Accounts } from './accounts';
import type { AdminContext } from './context';
import { checkedDomain } from './request-fields';
import type { LayerBuild } from './sources';

export async function status(context: AdminContext): Promise<StatusResponse> {
  return statusOf(context, await Accounts.take(context));
}

/** Everything from one measurement. */
export async function overview(
  context: AdminContext,
  { order, limit }: OverviewRequest,
): Promise<OverviewResponse> {
  const accounts = await Accounts.take(context);
  const { sources } = context;
  return {
    status: await statusOf(context, accounts),
    domains: sources.domainNames().map((name) => accounts.domainState(name)),
    images: sources.images().map((image) => accounts.imageState(image)),
    containers: accounts.containers.map((container) => accounts.containerState(container)),
    inodes: accounts.inodeStates('', order, limit),
  };
}

export async function listDomains(context: AdminContext): Promise<{ domains: DomainState[] }> {
  const accounts = await Accounts.take(context);
  return { domains: context.sources.domainNames().map((name) => accounts.domainState(name)) };
}

export async function listImages(context: AdminContext): Promise<{ images: ImageState[] }> {
  const accounts = await Accounts.take(context);
  return { images: context.sources.images().map((image) => accounts.imageState(image)) };
}

export async function listInodes(
  context: AdminContext,
  { domain, order, limit }: ListInodesRequest,
): Promise<{ inodes: InodeState[] }> {
  const chosen = domain === '' ? '' : checkedDomain(domain);
  return { inodes: (await Accounts.take(context)).inodeStates(chosen, order, limit) };
}

async function statusOf(
  { engine, sources }: AdminContext,
  { images, inodes, totals }: Accounts,
): Promise<StatusResponse> {
  const { passthrough, openFiles, backingIds, requests, slowRequests } = await engine.state();
  const slowCalls = sources.slowCalls();
  const { done, failed } = sources.imagesMade();
  const { version, root, state, address, passthroughAllowed } = sources;
  return {
    version,
    pid: process.pid,
    root,
    state,
    address,
    kernel: release(),
    passthrough,
    sharing: sharingSentence(passthrough, passthroughAllowed),
    snapshots: sources.snapshots(),
    images: sources.images().length,
    attached_images: images.length,
    dedup_inodes: inodes.length,
    open_files: openFiles,
    backing_ids: backingIds,
    cached_bytes: totals.cachedBytes,
    saved_bytes: totals.savedBytes,
    uptime_seconds: process.uptime(),
    rss_bytes: process.memoryUsage.rss(),
    images_requests: requests.images,
    ishare_requests: requests.ishare,
    slow_requests: slowRequests.noticed,
    slow_requests_now: slowRequests.waiting,
    slow_calls: slowCalls.noticed,
    slow_calls_now: slowCalls.slow,
    builds: sources.builds().map(buildState),
    builds_at_once: sources.buildsAtOnce,
    builds_done: done,
    builds_failed: failed,
  };
}

function buildState({ key, name, building, seconds, progress, rate }: LayerBuild): BuildState {
  return {
    ...{ key, name, seconds, rate },
    running: building,
    stage: progress?.stage ?? '',
    inodes: progress?.inodes ?? 0,
    total_inodes: progress?.totalInodes ?? 0,
    bytes: progress?.bytes ?? 0,
    total_bytes: progress?.totalBytes ?? 0,
  };
}
