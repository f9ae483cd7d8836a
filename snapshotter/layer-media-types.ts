/** Of the tar in a layer, which is what an applied layer is to containerd (OCI image specification, media-types.md). */
export const LAYER_TAR = 'application/vnd.oci.image.layer.v1.tar';

/**
 * Layers that are tars, plain or compressed; which of them is told by their first bytes, as in containerd. `foreign` and
 * `nondistributable` ones are the same to whoever has them.
 */
const LAYERS =
  /^application\/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs(?:\.foreign)?\.diff\.tar(?:\.gzip|\.zstd)?)$/;

/** Whether a layer of this media type can be unpacked here. */
export function isLayerMediaType(mediaType: string): boolean {
  return LAYERS.test(mediaType);
}
