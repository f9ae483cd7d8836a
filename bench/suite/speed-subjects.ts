import { ComposefsSubject } from '../subject/composefs-subject';
import { ErofsfuseSubject } from '../subject/erofsfuse-subject';
import { FuseNativeSubject } from '../subject/fuse-native-subject';
import { IshareSubject } from '../subject/ishare-subject';
import { KernelErofsSubject } from '../subject/kernel-erofs-subject';
import type { MountSubject, SubjectPlace } from '../subject/mount-subject';
import { OverlaySubject } from '../subject/overlay-subject';

/** Those that differ where one image is read. Quick runs leave compressed images out. */
export function speedSubjects(place: SubjectPlace, quick: boolean): MountSubject[] {
  const plain = [
    new IshareSubject(place, { encodings: ['plain'], shared: true }),
    new OverlaySubject(false),
    new ComposefsSubject(place),
    new KernelErofsSubject(place, 'file'),
    new KernelErofsSubject(place, 'loop'),
    new ErofsfuseSubject(place),
    new FuseNativeSubject(place),
  ];
  if (quick) return plain;
  return [
    ...plain,
    new IshareSubject(place, { encodings: ['lz4'], shared: true }),
    new IshareSubject(place, { encodings: ['zstd'], shared: true }),
    new KernelErofsSubject(place, 'file', 'lz4'),
    new KernelErofsSubject(place, 'file', 'zstd'),
    new ErofsfuseSubject(place, 'lz4'),
  ];
}
