import { InvalidArgumentError } from 'commander';
import { CommandError } from '../command-error';
import {
  compressionOf,
  parseEncoder,
  parseRule,
  parseSize,
  type CompressionFlags,
} from './compression-flags';

test.each([
  ['none', 'none'],
  ['lz4', { encoder: 'lz4' }],
  ['lz4hc,12', { encoder: 'lz4hc', level: 12 }],
  ['zstd', { encoder: 'zstd' }],
  ['zstd,1', { encoder: 'zstd', level: 1 }],
])('the encoder %s', (text, choice) => {
  expect(parseEncoder(text)).toEqual(choice);
});

test.each(['', 'gzip', 'none,1', 'zstd,', 'zstd,x', 'zstd,-1', 'zstd,1.5', 'zstd,1,2', 'LZ4', ',', ' lz4'])(
  'no encoder is "%s"',
  (text) => {
    expect(() => parseEncoder(text)).toThrow(InvalidArgumentError);
  },
);

test.each([
  ['4096', 4096],
  ['4K', 4096],
  ['64k', 65536],
  ['64KiB', 65536],
  ['1M', 1 << 20],
])('the size %s', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(['', 'K', '4G', '4.5K', '-4K', '0x10', '4 K', '9999999999999M'])('no size is "%s"', (text) => {
  expect(() => parseSize(text)).toThrow(InvalidArgumentError);
});

test('a rule ends with its encoder; the pattern before may be any', () => {
  const [first, second] = parseRule('a=b*=zstd,19', parseRule('*.jpg=none', []));
  expect(first).toEqual({ pattern: '*.jpg', encoder: 'none' });
  expect(second).toEqual({ pattern: 'a=b*', encoder: { encoder: 'zstd', level: 19 } });
  for (const text of ['*.jpg', '=none', '*.jpg=', '*.jpg=lz5']) {
    expect(() => parseRule(text, [])).toThrow(InvalidArgumentError);
  }
});

const plain: CompressionFlags = {
  compress: 'none',
  pclusterSize: 65536,
  inlineTails: true,
  compressRule: [],
};

test('nothing is compressed where nobody asks for it', () => {
  expect(compressionOf(plain)).toBeUndefined();
  const rules = parseRule('*.jpg=none', []);
  expect(compressionOf({ ...plain, compressRule: rules })).toBeUndefined();
});

test('pclusters are of one size for all', () => {
  const compressRule = parseRule('*.c=zstd,19', parseRule('*.jpg=none', []));
  expect(compressionOf({ ...plain, compress: { encoder: 'lz4' }, inlineTails: false, compressRule })).toEqual(
    {
      encoder: 'lz4',
      pclusterSize: 65536,
      inlineTails: false,
      rules: [
        { pattern: '*.jpg', settings: 'none' },
        { pattern: '*.c', settings: { encoder: 'zstd', level: 19, pclusterSize: 65536 } },
      ],
    },
  );
});

test('where only rules compress, the last rule leaves all other files as they are', () => {
  const compressRule = parseRule('*.c=zstd', []);
  const settings = { encoder: 'zstd', pclusterSize: 65536 };
  expect(compressionOf({ ...plain, compressRule })).toEqual({
    ...settings,
    inlineTails: true,
    rules: [
      { pattern: '*.c', settings },
      { pattern: '*', settings: 'none' },
    ],
  });
});

test.each<[string, Partial<CompressionFlags>]>([
  ['a level that the encoder lacks', { compress: { encoder: 'zstd', level: 23 } }],
  ['a level of what has none', { compress: { encoder: 'lz4', level: 1 } }],
  ['pclusters below a block', { compress: { encoder: 'lz4' }, pclusterSize: 2048 }],
  ['pclusters of broken blocks', { compress: { encoder: 'lz4' }, pclusterSize: 5000 }],
  ['pclusters above 1 MiB', { compress: { encoder: 'lz4' }, pclusterSize: 2 << 20 }],
  ['a wrong level in a rule', { compressRule: [{ pattern: '*', encoder: { encoder: 'lz4hc', level: 13 } }] }],
])('%s is refused', (_what, flags) => {
  expect(() => compressionOf({ ...plain, ...flags })).toThrow(CommandError);
});
