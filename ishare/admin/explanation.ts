import type {
  ExplainedFile,
  ExplainedLayer,
  Explanation,
  ExplainRequest,
  ServedFileState,
} from '../../proto/admin-messages';
import { usedBy } from '../accounting';
import { parseFingerprint } from '../fingerprint';
import type { AttachedImage } from '../inventory';
import { ImageNode } from '../merged-tree/image-node';
import { MergedPathError, type MergedNode } from '../merged-tree/merged-tree';
import { trustState } from './accounts';
import { AdminError } from './admin-error';
import type { AdminContext } from './context';
import { inodeDetails } from './inodes';
import { checkedPath, quoted } from './request-fields';
import { snapshotNamed } from './snapshot-choice';
import { SnapshotTree } from './snapshot-tree';
import type { CommittedImage, SnapshotLayers } from './sources';
import { verdictOf } from './verdict';

/** Why the files of a snapshot, or one of them, are shared or not. */
export async function explain(context: AdminContext, request: ExplainRequest): Promise<Explanation> {
  const path = request.path === '' ? undefined : checkedPath(request.path);
  const snapshot = snapshotNamed(context.sources, request.snapshot);
  // Waits until every reference has been taken.
  const attached = await context.engine.attachedImages();
  const { name, kind, domain, rule, layers } = snapshot;
  const file = path === undefined ? null : await explainFile(context, snapshot, attached, path);
  return {
    snapshot: name,
    ...{ kind, domain, rule },
    layers: layers.map((layer) => explainLayer(layer, attached)),
    file,
    verdict: file === null ? snapshotVerdict(snapshot) : fileVerdict(file),
  };
}

function explainLayer(image: CommittedImage, attached: readonly AttachedImage[]): ExplainedLayer {
  return {
    image: image.name,
    ...trustState(image),
    attached_in: attached
      .filter(({ imagePath }) => imagePath === image.path)
      .map(({ domain }) => domain ?? ''),
  };
}

function snapshotVerdict({ kind, domain, rule, layers }: SnapshotLayers): string {
  if (kind === 'committed') return 'Each container that uses this image has a domain of its own.';
  if (layers.length === 0) return 'Not shared: it stands on no image.';
  if (domain === '') return `Not shared: the container is in no domain (rule: ${rule}).`;
  return `Files of its images are shared with the other images of the domain "${domain}".`;
}

function fileVerdict({ type, image, served }: ExplainedFile): string {
  if (type !== 'regular file') return `Not shared: only regular files are shared, and this is a ${type}.`;
  if (image === '') return 'Not shared: it was made or changed in the container, and is its own file.';
  const [first, ...others] = served;
  if (first === undefined) return 'Not shared at the moment: no container uses the image.';
  if (others.length === 0) return first.verdict;
  return 'It depends on the domain of the container.';
}

async function explainFile(
  context: AdminContext,
  snapshot: SnapshotLayers,
  attached: readonly AttachedImage[],
  path: string,
): Promise<ExplainedFile> {
  await using opened = await SnapshotTree.open(snapshot);
  const { path: resolved, node } = await resolve(opened, path);
  const { type, size } = node;
  const nothing = { image: '', fingerprint: '', verification: '', served: [] };
  const image = node instanceof ImageNode ? layerOf(snapshot, node) : undefined;
  if (!(node instanceof ImageNode) || image === undefined) return { path: resolved, type, size, ...nothing };
  const file = { path: resolved, type, size, image: image.name };
  if (type !== 'regular file') return { ...nothing, ...file };
  const served = await servedIn(context, snapshot, attached, image, node);
  const claim = await node.image.fingerprint(node.inode);
  const fingerprint = claim === undefined ? '' : shownClaim(claim);
  return { ...file, fingerprint, verification: verificationOf(claim, image, served), served };
}

async function resolve(tree: SnapshotTree, path: string): Promise<MergedNode> {
  try {
    return await tree.resolve(path);
  } catch (error) {
    if (!(error instanceof MergedPathError)) throw error;
    throw new AdminError('NOT_FOUND', `${quoted(path)}: ${error.problem}`);
  }
}

function layerOf({ layers }: SnapshotLayers, { image }: ImageNode): CommittedImage | undefined {
  return layers.find(({ path }) => path === image.label);
}

/** How the file is served where its image is attached: for a container, in its own domain alone. */
async function servedIn(
  context: AdminContext,
  snapshot: SnapshotLayers,
  attached: readonly AttachedImage[],
  image: CommittedImage,
  node: ImageNode,
): Promise<ServedFileState[]> {
  const places = attached.filter(
    ({ imagePath, attachmentId }) =>
      imagePath === image.path &&
      (snapshot.kind === 'committed' || snapshot.attachments.includes(attachmentId)),
  );
  const facts = { image, size: node.size, rule: snapshot.rule, ...(await sharing(context)) };
  if (places.length === 0 && snapshot.kind !== 'committed') {
    const { domain } = snapshot;
    return [
      { domain, inode: null, verdict: verdictOf({ ...facts, domain, served: undefined, otherImages: 0 }) },
    ];
  }
  const running = new Set(context.sources.containers().flatMap(({ attachments }) => attachments));
  const states: ServedFileState[] = [];
  for (const { attachmentId, domain = '' } of places) {
    const served = await context.engine.explain(attachmentId, node.inode.nid);
    const inode = served?.inode && usedBy(served.inode, running);
    const otherImages = inode?.holders.filter((holder) => holder !== attachmentId).length ?? 0;
    const verdict = verdictOf({ ...facts, domain, served, otherImages });
    states.push({ domain, verdict, inode: inode === undefined ? null : inodeDetails(inode, attached) });
  }
  return states;
}

async function sharing({
  engine,
  sources,
}: AdminContext): Promise<{ passthrough: boolean; passthroughAllowed: boolean }> {
  const { passthrough } = await engine.state();
  return { passthrough, passthroughAllowed: sources.passthroughAllowed };
}

function shownClaim(claim: Buffer): string {
  const fingerprint = parseFingerprint(claim);
  return fingerprint === undefined ? `0x${claim.toString('hex')}` : `sha256:${fingerprint}`;
}

/** What is known of the fingerprint itself. Of an unverified image, each file is verified for itself. */
function verificationOf(
  claim: Buffer | undefined,
  { trust }: CommittedImage,
  served: readonly ServedFileState[],
): string {
  if (claim === undefined || parseFingerprint(claim) === undefined) return '';
  if (trust !== 'unverified') return trust;
  return served.some(({ inode }) => inode !== null && inode.inode.fingerprint !== '')
    ? 'verified'
    : 'unverified';
}
