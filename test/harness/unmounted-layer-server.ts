import { access } from 'node:fs/promises';
import type { LayerAttachment, LayerServer, MergedLayers } from '../../ishare/layer-server';

/** A LayerServer for tests that mount nothing: it checks that the image is there and names a directory. */
export class UnmountedLayerServer implements LayerServer {
  async attach(layer: LayerAttachment): Promise<string> {
    await access(layer.imagePath);
    return `/unmounted/${layer.attachmentId}`;
  }

  async attachMerged(merged: MergedLayers): Promise<string> {
    await access(merged.imagePath);
    return `/unmounted/${merged.attachmentId}`;
  }

  detach(): Promise<void> {
    return Promise.resolve();
  }
}
