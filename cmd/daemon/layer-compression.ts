import type { Config } from '../../config/schema';
import type { CompressionOptions, EncoderSettings } from '../../erofs/build';

const KIB = 1024;

/** How layers are compressed, from the configuration; undefined: not at all. */
export function layerCompression({ build }: Config): CompressionOptions | undefined {
  const usual = settingsOf(build, build.pcluster_kib);
  if (usual === 'none') return undefined;
  return {
    ...usual,
    inlineTails: build.inline_tails,
    rules: build.rules.map((rule) => ({
      pattern: rule.pattern,
      settings: settingsOf(rule, rule.pcluster_kib ?? build.pcluster_kib),
    })),
  };
}

function settingsOf(
  { encoder, level }: Pick<Config['build'], 'encoder' | 'level'>,
  pclusterKib: number,
): EncoderSettings | 'none' {
  return encoder === 'none' ? 'none' : { encoder, level, pclusterSize: pclusterKib * KIB };
}
