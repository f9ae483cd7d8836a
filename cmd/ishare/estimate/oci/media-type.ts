/** What a layer is made of, as far as its media type tells. */
export type LayerForm =
  /** Plain or compressed; its first bytes tell how. */
  | 'tar'
  /** An EROFS image. */
  | 'erofs'
  | 'encrypted'
  | 'unknown';

const TAR_TYPES: readonly RegExp[] = [
  /^application\/vnd\.oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+(?:gzip|zstd))?$/,
  /^application\/vnd\.docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.(?:gzip|zstd))?$/,
];

/** Suffix of layers that are encrypted (ocicrypt, as containerd's imgcrypt uses it). */
const ENCRYPTED = '+encrypted';

/** As containerd tells EROFS layers (core/images/mediatypes.go, IsErofsMediaType). */
const EROFS_TYPE = /^[^+]*\.erofs$/;

export function layerForm(mediaType: string): LayerForm {
  if (mediaType.endsWith(ENCRYPTED)) return 'encrypted';
  if (TAR_TYPES.some((type) => type.test(mediaType))) return 'tar';
  return EROFS_TYPE.test(mediaType) ? 'erofs' : 'unknown';
}

/** Layers that archives may leave out, for their makers do not let others hand them on. */
export function isForeign(mediaType: string): boolean {
  return /\.(?:nondistributable|foreign)\./.test(mediaType);
}

/** What a descriptor in an index leads to. */
export function manifestForm(mediaType: string): 'index' | 'manifest' | 'unknown' {
  switch (mediaType) {
    case 'application/vnd.oci.image.index.v1+json':
    case 'application/vnd.docker.distribution.manifest.list.v2+json':
      return 'index';
    case 'application/vnd.oci.image.manifest.v1+json':
    case 'application/vnd.docker.distribution.manifest.v2+json':
      return 'manifest';
    default:
      return 'unknown';
  }
}
