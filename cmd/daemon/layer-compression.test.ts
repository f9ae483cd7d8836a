import { configSchema } from '../../config/schema';
import { CompressionChoice } from '../../erofs/writer/compression-choice';
import { ENCODERS } from '../../erofs/writer/encoder-settings';
import { layerCompression } from './layer-compression';

const encoders = Object.entries(ENCODERS).map(([encoder, { levels }]) => ({
  encoder,
  max: levels?.max ?? 0,
}));

// The schema cannot ask the writer, which is another room: both say what levels there are.
test.each(encoders)(
  'the configuration and the writer agree on the levels of $encoder',
  ({ encoder, max }) => {
    for (const level of [undefined, 1, max, max + 1, 22, 23]) {
      const allowed = level === undefined || (level >= 1 && level <= max);
      const build = { encoder, ...(level === undefined ? {} : { level }) };
      const parsed = configSchema.safeParse({ build });
      expect({ level, allowed: parsed.success }).toEqual({ level, allowed });
      if (parsed.success) expect(() => new CompressionChoice(layerCompression(parsed.data))).not.toThrow();
    }
  },
);

test('nothing is compressed without an encoder, whatever rules say', () => {
  const build = { rules: [{ pattern: '*', encoder: 'zstd' }] };
  expect(layerCompression(configSchema.parse({ build }))).toBeUndefined();
});

test('sizes of pclusters are told in KiB, and a rule takes over that of the others', () => {
  const rules = [
    { pattern: '*.so', encoder: 'none' },
    { pattern: '*.txt', encoder: 'zstd', level: 5 },
    { pattern: '*.log', encoder: 'lz4', pcluster_kib: 4 },
  ];
  const build = { encoder: 'lz4', pcluster_kib: 128, inline_tails: false, rules };
  expect(layerCompression(configSchema.parse({ build }))).toEqual({
    encoder: 'lz4',
    pclusterSize: 131_072,
    inlineTails: false,
    rules: [
      { pattern: '*.so', settings: 'none' },
      { pattern: '*.txt', settings: { encoder: 'zstd', level: 5, pclusterSize: 131_072 } },
      { pattern: '*.log', settings: { encoder: 'lz4', pclusterSize: 4096 } },
    ],
  });
});
