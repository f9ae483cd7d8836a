import { ComposefsSubject } from './composefs-subject';
import { ErofsfuseSubject } from './erofsfuse-subject';
import { FuseNativeSubject } from './fuse-native-subject';
import { IshareSubject } from './ishare-subject';
import { KernelErofsSubject } from './kernel-erofs-subject';
import type { MountSubject, SubjectPlace } from './mount-subject';
import { OverlaySubject } from './overlay-subject';

/** The subject that ratios refer to. */
export const OURS = 'ishare';

/** Everything that is compared, ours first. Quick runs leave most compressed images out. */
export function mountSubjects(place: SubjectPlace, quick: boolean): MountSubject[] {
  const all = [
    new IshareSubject(place, { encodings: ['plain'], shared: true }),
    new IshareSubject(place, { encodings: ['lz4'], shared: true }),
    new IshareSubject(place, { encodings: ['zstd'], shared: true }),
    new IshareSubject(place, { encodings: ['plain', 'lz4'], shared: true }),
    new IshareSubject(place, { encodings: ['plain'], shared: false }),
    new OverlaySubject(false),
    new OverlaySubject(true),
    new ComposefsSubject(place),
    new KernelErofsSubject(place, 'file'),
    new KernelErofsSubject(place, 'loop'),
    new KernelErofsSubject(place, 'file', 'lz4'),
    new KernelErofsSubject(place, 'file', 'zstd'),
    new ErofsfuseSubject(place),
    new ErofsfuseSubject(place, 'lz4'),
    new FuseNativeSubject(place),
  ];
  return quick ? all.filter(({ name }) => !/zstd|, lz4$|one base/.test(name) || name === 'ishare, lz4') : all;
}

/** Peers that nobody can compare with here, and why. */
export const ABSENT_PEERS: Readonly<Record<string, string>> = {
  SOCI: 'Debian has no package of soci-snapshotter',
  stargz: 'Debian has no package of stargz-snapshotter',
};
