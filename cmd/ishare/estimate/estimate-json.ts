import { jsonName } from '../image/visible-name';
import type { FingerprintFaults } from './layer-files';
import type { ReadImage } from './layer-source';
import { savedPercent, type RepeatedContent, type SharingEstimate } from './sharing-estimate';

/** The estimate for programs. Sizes are in bytes, images are told by their place among `images`. */
export function estimateJson(
  estimate: SharingEstimate,
  images: readonly ReadImage[],
  top: number,
): Readonly<Record<string, unknown>> {
  const { alone, shared, commonLayers, repeated } = estimate;
  return {
    images: images.map(({ image, layers }, index) => {
      const sum = estimate.images[index];
      return {
        image: image.label,
        name: image.name ?? null,
        platform: image.platform ?? null,
        layers: layers.length,
        files: sum?.files,
        page_cache: sum?.pageCache,
        files_in_others: sum?.inOthers.files,
        page_cache_in_others: sum?.inOthers.pageCache,
        ...faultsJson(layers.map(({ faults }) => faults).filter((faults) => faults !== undefined)),
      };
    }),
    files: alone.files,
    contents: shared.files,
    page_cache_alone: alone.pageCache,
    page_cache_shared: shared.pageCache,
    page_cache_saved: alone.pageCache - shared.pageCache,
    saved_percent: Number(savedPercent(estimate).toFixed(2)),
    common_layers: commonLayers.layers,
    page_cache_of_common_layers: commonLayers.pageCache,
    repeated_contents: repeated.length,
    top: repeated.slice(0, top).map(contentJson),
  };
}

/** Nothing of images whose fingerprints are made when they are unpacked. */
function faultsJson(faults: readonly FingerprintFaults[]): Readonly<Record<string, number>> {
  if (faults.length === 0) return {};
  const sum = (count: (faults: FingerprintFaults) => number): number =>
    faults.reduce((total, each) => total + count(each), 0);
  return {
    fingerprints_missing: sum(({ missing }) => missing),
    fingerprints_wrong: sum(({ wrong }) => wrong),
  };
}

function contentJson({ digest, size, copies, saved }: RepeatedContent): Readonly<Record<string, unknown>> {
  return {
    digest: `sha256:${digest}`,
    size,
    page_cache_saved: saved,
    // An inode each, with its first path in every image that shows it.
    copies: copies.map(({ paths }) =>
      [...paths].map(([image, path]) => ({ image, ...jsonName('path', Buffer.from(path, 'latin1')) })),
    ),
  };
}
