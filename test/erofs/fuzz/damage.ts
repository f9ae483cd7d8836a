import type { Pseudorandom } from '../compressible-tree';
import { sample, sampleNames, seal } from '../damaged-image';
import type { Place } from './field-places';

/** Smallest block of any image, and the grain in which images are mixed. */
const GRAIN = 512;
const DAMAGES_MAX = 4;
/** Out of so many images one is cut short. */
const ONE_IN_CUT = 12;

type Damage = (bytes: Buffer, random: Pseudorandom, places: readonly Place[]) => string;

/** What a damage did, for the report of a failure, and what came of it. */
export interface DamagedImage {
  readonly bytes: Buffer;
  readonly history: readonly string[];
}

/** Damages a copy of a sample in a few ways that depend on nothing but `random`. */
export function damagedImage(name: string, random: Pseudorandom, places: readonly Place[]): DamagedImage {
  let bytes = sample(name);
  const history: string[] = [];
  const times = 1 + random.below(DAMAGES_MAX);
  for (let time = 0; time < times; time++) {
    const damage = damages[random.below(damages.length)]!;
    history.push(damage(bytes, random, places));
  }
  if (random.below(ONE_IN_CUT) === 0) {
    bytes = bytes.subarray(0, random.below(bytes.length));
    history.push(`cut to ${bytes.length} bytes`);
  }
  return { bytes: seal(bytes), history };
}

/** Extremes find what random values do not: nothing, all ones, one beside what is there, one beside a power of two. */
function extreme(random: Pseudorandom, there: bigint, width: number): bigint {
  const bits = BigInt(8 * width);
  const one = 1n << BigInt(random.below(Number(bits)));
  const values = [
    0n,
    -1n,
    there + 1n,
    there - 1n,
    there ^ one,
    one,
    one - 1n,
    there * 2n,
    BigInt(random.below(256)),
    BigInt(random.below(2 ** 32)),
  ];
  return BigInt.asUintN(Number(bits), values[random.below(values.length)]!);
}

function readWord(bytes: Buffer, { position, width }: Place): bigint {
  return BigInt(
    `0x${Buffer.from(bytes.subarray(position, position + width))
      .reverse()
      .toString('hex')}`,
  );
}

function writeWord(bytes: Buffer, { position, width }: Place, value: bigint): void {
  const hex = value.toString(16).padStart(2 * width, '0');
  Buffer.from(hex, 'hex').reverse().copy(bytes, position);
}

function placeOf(random: Pseudorandom, places: readonly Place[]): Place {
  return places[random.below(places.length)]!;
}

const setField: Damage = (bytes, random, places) => {
  const place = placeOf(random, places);
  const value = extreme(random, readWord(bytes, place), place.width);
  writeWord(bytes, place, value);
  return `${place.name} at ${place.position} = 0x${value.toString(16)}`;
};

/** One field takes the value of another of its kind: nids that lead back, blocks of somebody else. */
const copyField: Damage = (bytes, random, places) => {
  const place = placeOf(random, places);
  const alike = places.filter(({ name, width }) => name === place.name && width === place.width);
  const other = placeOf(random, alike);
  writeWord(bytes, place, readWord(bytes, other));
  return `${place.name} at ${place.position} = that at ${other.position}`;
};

const flipBits: Damage = (bytes, random) => {
  const at = random.below(bytes.length);
  const mask = 1 << random.below(8);
  bytes[at]! ^= mask;
  return `bit 0x${mask.toString(16)} of byte ${at}`;
};

function grainOf(bytes: Buffer, random: Pseudorandom): number {
  return GRAIN * random.below(Math.floor(bytes.length / GRAIN));
}

const swapBlocks: Damage = (bytes, random) => {
  const [left, right] = [grainOf(bytes, random), grainOf(bytes, random)];
  const kept = Buffer.from(bytes.subarray(left, left + GRAIN));
  bytes.copyWithin(left, right, right + GRAIN);
  kept.copy(bytes, right);
  return `blocks at ${left} and ${right} swapped`;
};

const moveRecord: Damage = (bytes, random, places) => {
  const [from, to] = [placeOf(random, places), placeOf(random, places)];
  const length = 32 << random.below(3);
  bytes.copyWithin(to.position, from.position, from.position + length);
  return `${length} bytes at ${to.position} = those at ${from.position}`;
};

const splice: Damage = (bytes, random) => {
  const name = sampleNames[random.below(sampleNames.length)]!;
  const other = sample(name);
  const from = grainOf(other, random);
  const to = grainOf(bytes, random);
  const length = GRAIN * (1 + random.below(16));
  other.copy(bytes, to, from, from + length);
  return `${length} bytes at ${to} from ${name} at ${from}`;
};

const clearBlock: Damage = (bytes, random) => {
  const at = grainOf(bytes, random);
  const value = random.below(2) * 0xff;
  bytes.fill(value, at, at + GRAIN);
  return `block at ${at} = 0x${value.toString(16)}`;
};

/** Fields are what most checks are about. */
const damages: readonly Damage[] = [
  setField,
  setField,
  setField,
  setField,
  setField,
  copyField,
  copyField,
  moveRecord,
  flipBits,
  swapBlocks,
  splice,
  clearBlock,
];
