import type { DeviceSlot } from '../device-table';
import { INCOMPAT } from '../format/feature';
import { SUPERBLOCK_OFFSET, superblockRecord } from '../format/superblock';
import type { ErofsImage } from '../image';
import { isRegularFile } from '../inode';
import { finding, findingOf, type Finding } from './finding';

export const NANOSECONDS_PER_SECOND = 1_000_000_000;

type FieldName = keyof typeof superblockRecord.fields;

/** What opening an image does not look at: fields that only matter later, or to nobody but Linux. */
export async function* checkSuperblock(image: ErofsImage): AsyncGenerator<Finding> {
  const { superblock, sources } = image;
  const wrong = (name: FieldName, problem: string): Finding => {
    const field = superblockRecord.fields[name];
    return finding(
      { image: image.label, offset: SUPERBLOCK_OFFSET + field.offset, field: field.name },
      problem,
    );
  };
  const { size } = sources.data;
  if (superblock.fixedNanoseconds >= NANOSECONDS_PER_SECOND) {
    yield wrong('fixedNanoseconds', `${superblock.fixedNanoseconds} is a second or more`);
  }
  if (superblock.metaOffset >= size) {
    yield wrong('metaBlockAddress', `byte ${superblock.metaOffset} of ${size}`);
  }
  if (superblock.sharedXattrOffset >= size) {
    yield wrong('xattrBlockAddress', `byte ${superblock.sharedXattrOffset} of ${size}`);
  }
  if ((superblock.featureIncompat & INCOMPAT.XATTR_PREFIXES) === 0) {
    // Linux reads the prefixes whether the feature is set or not.
    const head = await sources.data.read(SUPERBLOCK_OFFSET, superblockRecord.size);
    const count = superblockRecord.fields.xattrPrefixCount.read(head, 0, { image: image.label, origin: 0 });
    if (count > 0) yield wrong('xattrPrefixCount', `${count}, without the feature XATTR_PREFIXES`);
  }
  for (const problem of overlappingDevices(sources.devices.slots)) {
    yield finding({ image: image.label, field: 'device slot.uniformAddressLow' }, problem);
  }
  if (superblock.packedNid === undefined) return;
  try {
    if (!isRegularFile(await image.inode(superblock.packedNid))) {
      yield wrong('packedNid', `inode ${superblock.packedNid} is no regular file`);
    }
  } catch (error) {
    yield findingOf(error);
  }
}

/** The count of inodes, once all have been found. The packed and the metabox file count, though no name leads to them. */
export function* checkInodeCount(image: ErofsImage, found: number): Generator<Finding> {
  const { inodes } = image.superblock;
  if (inodes === found) return;
  const { name, offset } = superblockRecord.fields.inos;
  const site = { image: image.label, offset: SUPERBLOCK_OFFSET + offset, field: name };
  yield finding(site, `${inodes}, but ${found} inodes are there`);
}

function* overlappingDevices(slots: readonly DeviceSlot[]): Generator<string> {
  const placed = slots
    .map((slot, index) => ({ ...slot, number: index + 1 }))
    .filter(({ uniformAddress }) => uniformAddress !== 0)
    .sort((left, right) => left.uniformAddress - right.uniformAddress);
  for (const [index, slot] of placed.entries()) {
    const next = placed[index + 1];
    if (next === undefined || slot.uniformAddress + slot.blocks <= next.uniformAddress) continue;
    yield `device ${next.number} begins at block ${next.uniformAddress}, inside device ${slot.number}`;
  }
}
