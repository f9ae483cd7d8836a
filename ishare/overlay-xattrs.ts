const PRIVATE = Buffer.from('trusted.overlay.');
const OPAQUE = Buffer.from('trusted.overlay.opaque');

/**
 * overlayfs keeps its own state in `trusted.overlay.*` xattrs of its layers. An image may bring such names along: a
 * forged redirect or metacopy would make overlayfs show other files than the layer has. Only the opaque mark, which
 * every layer may set for its own directories, gets through.
 */
export const OverlayXattrs = {
  hidden(name: Buffer): boolean {
    return name.subarray(0, PRIVATE.length).equals(PRIVATE) && !name.equals(OPAQUE);
  },
};
