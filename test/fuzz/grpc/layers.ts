import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { TAR_BLOCK, TYPE } from '../../../erofs/writer/tar/header';
import {
  directoryMember,
  END,
  gnuLong,
  header,
  linkMember,
  member,
  pax,
  symlinkMember,
  withChecksum,
} from '../../../erofs/writer/tar/testing/craft-tar';
import { noise } from '../../harness/noise';
import type { LayerDescriptor } from '../../harness/diff-connection';

/** A blob with what a client says of it. */
export interface HostileLayer {
  readonly bytes: Buffer;
  /** Instead of what is true. */
  readonly said: Partial<LayerDescriptor>;
}

/** Some bytes at a place that become others, or go, or come twice. */
interface Mutation {
  readonly kind: 'overwrite' | 'delete' | 'repeat' | 'cut';
  /** Of the whole, 0 to 1. */
  readonly at: number;
  readonly length: number;
  readonly bytes: Uint8Array;
  /** Headers get the right checksum again, so that it does not hide what is behind it. */
  readonly repaired: boolean;
}

const text = 'text of a file, again and again. '.repeat(700);

/** A layer with something of everything, in few blocks. */
const LAYER = Buffer.concat([
  directoryMember('d'),
  member({ name: 'd/large' }, text),
  member({ name: 'd/noise' }, noise('layer', 5000)),
  pax([
    ['SCHILY.xattr.user.name', 'value'],
    ['mtime', '1.25'],
  ]),
  member({ name: 'with-records' }, 'x'),
  gnuLong(TYPE.GNU_LONG_NAME, 'd/'.repeat(80) + 'far'),
  member({ name: 'short' }, 'y'),
  linkMember('d/again', 'd/large'),
  symlinkMember('link', 'd'),
  member({ name: 'link/through' }, text.slice(0, 4097)),
  member({ name: 'd/large' }, 'replaced'),
  header({ name: 'null', type: TYPE.CHARACTER_DEVICE, major: 1, minor: 3 }),
  member({ name: 'd/.wh.gone' }),
  END,
]);

const mutations: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('overwrite' as const, 'overwrite' as const, 'delete', 'repeat', 'cut'),
  at: fc.double({ min: 0, max: 0.9999, noNaN: true }),
  length: fc.oneof(fc.nat({ max: 8 }), fc.constantFrom(TAR_BLOCK, 2 * TAR_BLOCK)),
  bytes: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 8 }),
    fc.constantFrom('7777777', '/', '..', '\0', 'K', 'L', 'x', 'g', 'S').map((word) => Buffer.from(word)),
  ),
  repaired: fc.boolean(),
});

function mutated(bytes: Buffer, { kind, at, length, bytes: others, repaired }: Mutation): Buffer {
  const start = Math.floor(at * bytes.length);
  const block = start - (start % TAR_BLOCK);
  const whole = length % TAR_BLOCK === 0 ? block : start;
  switch (kind) {
    case 'overwrite': {
      const changed = Buffer.from(bytes);
      changed.set(others.subarray(0, changed.length - start), start);
      if (repaired && block + TAR_BLOCK <= changed.length)
        withChecksum(changed.subarray(block, block + TAR_BLOCK));
      return changed;
    }
    case 'delete':
      return Buffer.concat([bytes.subarray(0, whole), bytes.subarray(whole + length)]);
    case 'repeat':
      return Buffer.concat([bytes.subarray(0, whole + length), bytes.subarray(whole)]);
    case 'cut':
      return bytes.subarray(0, start);
  }
}

const said: fc.Arbitrary<Partial<LayerDescriptor>> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({}) },
  fc.constantFrom<Partial<LayerDescriptor>>(
    { size: 0 },
    { size: -1 },
    { size: Number.MAX_SAFE_INTEGER },
    { digest: '' },
    { digest: 'sha256:../../../etc/passwd' },
    { digest: `sha512:${'0'.repeat(128)}` },
    { media_type: 'application/vnd.oci.image.layer.v1.tar+zstd' },
    { media_type: '\u0000' },
  ),
);

/** Layers, most of them damaged a little: in the tar, or in what compresses it. */
export const layers: fc.Arbitrary<HostileLayer> = fc
  .tuple(fc.array(mutations, { maxLength: 4 }), fc.option(fc.array(mutations, { maxLength: 2 })), said)
  .map(([inside, outside, claims]) => {
    const tar = inside.reduce(mutated, LAYER);
    const bytes = outside === null ? tar : outside.reduce(mutated, gzipSync(tar, { level: 1 }));
    return { bytes, said: claims };
  });
