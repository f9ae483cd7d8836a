import type { Metadata } from '@grpc/grpc-js';
import type { Logger } from 'winston';
import { isKnownDigest } from '../erofs/writer/tar/layer-blob';
import type { ApplyRequest, ApplyResponse, DiffHandlers, DiffResponse } from '../proto/diff';
import type { ContainerdContent } from './containerd-content';
import { InvalidArgumentError, UnimplementedError } from './errors';
import { isLayerMediaType, LAYER_TAR } from './layer-media-types';
import type { Snapshots } from './snapshots';
import { unaryCalls, type CallWatch } from './unary-calls';

/**
 * Handlers of containerd's diff service, for Server.addService(diffService(), …). Apply makes a layer's image straight from
 * its blob. What it cannot do it leaves to containerd's next differ, before anything is changed; so it does with Diff.
 */
export function diffHandlers(
  snapshots: Snapshots,
  content: ContainerdContent,
  logger: Logger,
  watch?: CallWatch,
): DiffHandlers {
  const unary = unaryCalls(logger, watch);
  return {
    Apply: unary('Apply', (request, signal, metadata) =>
      apply(snapshots, content, request, signal, metadata),
    ),
    Diff: unary('Diff', (): DiffResponse => {
      throw new UnimplementedError('layers are not made of differences here; that is for the walking differ');
    }),
  };
}

async function apply(
  snapshots: Snapshots,
  content: ContainerdContent,
  { diff, mounts }: ApplyRequest,
  signal: AbortSignal,
  metadata: Metadata,
): Promise<ApplyResponse> {
  if (diff === null) throw new InvalidArgumentError('apply: no layer is given');
  const { media_type: mediaType, digest, size } = diff;
  if (!isLayerMediaType(mediaType))
    throw new UnimplementedError(`${digest}: a layer of the type "${mediaType}" is not known here`);
  if (!isKnownDigest(digest)) throw new InvalidArgumentError(`apply: "${digest}" is no digest of a layer`);
  const blob = { digest, size };
  const tar = await snapshots.unpack({
    mounts,
    blob,
    open: () => content.open(blob, namespaceIn(metadata)),
    signal,
  });
  return { applied: { media_type: LAYER_TAR, digest: tar.digest, size: tar.bytes } };
}

function namespaceIn(metadata: Metadata): string {
  return metadata.get('containerd-namespace')[0]?.toString() ?? '';
}
