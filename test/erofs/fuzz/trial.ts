import assert from 'node:assert/strict';
import { Pseudorandom } from '../compressible-tree';
import { devicesOf, sampleNames } from '../damaged-image';
import { Interrogation } from '../interrogation';
import { damagedImage } from './damage';
import { fieldPlaces, type Place } from './field-places';

const placesOf = new Map<string, Place[]>();

/** Bytes around the image in memory. */
const MARGIN = 4096;

/**
 * Asks the reader all about one damaged image, twice: with other bytes around the image and in all memory that is handed
 * out unset. Whatever it says must be the same both times, or it has said something that the image does not hold.
 * Throws where the reader answers neither with a result nor with an error of its own. Returns what was done to which
 * sample.
 */
export async function fuzzTrial(seed: number): Promise<string> {
  const random = new Pseudorandom(Math.imul(seed, 2_654_435_761));
  for (let turn = 0; turn < 4; turn++) random.below(2);
  const name = sampleNames[random.below(sampleNames.length)]!;
  const places = placesOf.get(name) ?? (await fieldPlaces(name));
  placesOf.set(name, places);
  const { bytes, history } = damagedImage(name, random, places);
  const story = `${name}: ${history.join('; ')}`;
  const cached = random.below(2) === 0;
  try {
    const first = await ask(name, bytes, cached, 0x5a);
    const second = await ask(name, bytes, cached, 0xa5);
    assert.deepEqual(second, first);
  } catch (error) {
    throw new Error(story, { cause: error });
  }
  return story;
}

async function ask(
  name: string,
  bytes: Buffer,
  cached: boolean,
  filling: number,
): Promise<ReadonlyMap<string, string>> {
  const surroundings = Buffer.alloc(bytes.length + 2 * MARGIN, filling);
  bytes.copy(surroundings, MARGIN);
  const image = surroundings.subarray(MARGIN, MARGIN + bytes.length);
  using _memory = new FilledMemory(filling);
  const interrogation = new Interrogation(devicesOf[name]);
  return (await interrogation.interrogate(image, cached)).answers;
}

/** Until it is disposed of, buffers that come with whatever memory held before hold one value instead. */
class FilledMemory implements Disposable {
  readonly #allocate = Buffer.allocUnsafeSlow.bind(Buffer);

  constructor(value: number) {
    const allocate = this.#allocate;
    Buffer.allocUnsafeSlow = (size) => allocate(size).fill(value);
  }

  [Symbol.dispose](): void {
    Buffer.allocUnsafeSlow = this.#allocate;
  }
}
