import type { Layer } from './layer-files';

/** A layer of an image, before it is read. */
export interface LayerSource {
  /** The same for layers that are one on the host: by their chain id. */
  readonly identity: string;
  /** The same for layers that hold the same, whatever lies below them. */
  readonly content: string;
  /** Bytes that reading it takes, as `read` counts them. */
  readonly bytes: number;
  /** @param onRead is told how many bytes more were read. */
  read(onRead: (bytes: number) => void): Promise<Layer>;
}

/** An image that the command line names, with what is open for it. */
export interface OpenImage extends AsyncDisposable {
  /** As the user named it. */
  readonly label: string;
  /** What an archive calls it. */
  readonly name?: string | undefined;
  /** `os/architecture`. */
  readonly platform?: string | undefined;
  /** The lowest first. */
  readonly layers: readonly LayerSource[];
}

export interface ReadImage {
  readonly image: OpenImage;
  /** The lowest first. */
  readonly layers: readonly Layer[];
}

/**
 * Reads the layers of some images, each once, however often it occurs. Those that are one on the host are one object in
 * the answer, which has the images in their order.
 *
 * @param onProgress is told how many bytes of how many were read.
 */
export async function readLayers(
  images: readonly OpenImage[],
  onProgress: (done: number, total: number) => void,
): Promise<ReadImage[]> {
  const byContent = new Map(images.flatMap(({ layers }) => layers).map((layer) => [layer.content, layer]));
  const total = [...byContent.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  const contents = new Map<string, Layer>();
  let done = 0;
  for (const [content, source] of byContent) {
    const layer = await source.read((bytes) => {
      done += bytes;
      onProgress(done, total);
    });
    contents.set(content, layer);
  }
  const onHost = new Map<string, Layer>();
  return images.map((image) => ({
    image,
    layers: image.layers.map(({ identity, content }) => {
      const known = onHost.get(identity);
      if (known !== undefined) return known;
      const read = contents.get(content);
      if (read === undefined) throw new Error(`the layer ${identity} was not read`);
      const layer = { ...read };
      onHost.set(identity, layer);
      return layer;
    }),
  }));
}
