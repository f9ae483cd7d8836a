import type { AttachedImage } from '../inventory';
import { AdminError } from './admin-error';
import { checkedDomain, quoted } from './request-fields';
import type { SnapshotLayers } from './sources';

/** Attachments of an image and of those below it that may share, in whatever domain. */
export function attachmentsOf({ layers }: SnapshotLayers, images: readonly AttachedImage[]): AttachedImage[] {
  const paths = new Set(layers.map(({ path }) => path));
  return images.filter(({ imagePath, domain }) => domain !== undefined && paths.has(imagePath));
}

/** The same in one domain: the one that is asked for, or with "" the only one in which the image is attached. */
export function attachmentsInDomain(
  chain: SnapshotLayers,
  images: readonly AttachedImage[],
  asked: string,
): AttachedImage[] {
  const found = attachmentsOf(chain, images);
  const top = found.filter(({ imagePath }) => imagePath === chain.layers[0]?.path);
  const domains = [...new Set(top.map(({ domain = '' }) => domain))];
  if (asked === '' && domains.length > 1) {
    throw new AdminError(
      'FAILED_PRECONDITION',
      `${quoted(chain.name)} is attached in several domains: choose one of ${domains.join(', ')} (--domain)`,
    );
  }
  const wanted = asked === '' ? domains[0] : checkedDomain(asked);
  if (wanted !== undefined && domains.includes(wanted))
    return found.filter(({ domain }) => domain === wanted);
  const where = asked === '' ? 'a domain' : `the domain ${quoted(asked)}`;
  throw new AdminError(
    'FAILED_PRECONDITION',
    `${quoted(chain.name)} is not attached in ${where}: run a container of it there first, or prepare a snapshot on ` +
      'it (ctr snapshots --snapshotter ishare prepare KEY NAME)',
  );
}
