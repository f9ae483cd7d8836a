import { BuildWorkerCrashedError } from '../erofs/build-worker';
import type { BuiltImage, LayerImageBuilder } from './image-building';

/**
 * Builds images of merged metadata: on a thread that has built layers and rests, for another one would cost its memory once
 * more, else on one of its own, so as not to wait behind layers.
 */
export class ChainBuilder implements LayerImageBuilder {
  constructor(
    private readonly forLayers: LayerImageBuilder,
    private readonly forChains: LayerImageBuilder,
  ) {}

  async build(request: Parameters<LayerImageBuilder['build']>[0]): Promise<BuiltImage> {
    if (this.forLayers.resting !== true) return await this.forChains.build(request);
    try {
      return await this.forLayers.build(request);
    } catch (error) {
      if (!(error instanceof BuildWorkerCrashedError)) throw error;
      // Its thread may have come to the end of a heap that is smaller than that of the other ones.
      return await this.forChains.build(request);
    }
  }
}
