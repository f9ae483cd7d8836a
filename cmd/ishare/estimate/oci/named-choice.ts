import { ArchiveError } from '../archive-error';

/** How images of an archive are told apart. */
export interface Naming<Image> {
  /** All names by which an image may be asked for, the best first. */
  readonly names: (image: Image) => readonly string[];
  /** The same for entries that are one image under several names. */
  readonly identity: (image: Image) => string;
}

/**
 * The image that is meant, of those in an archive. Throws ArchiveError telling the names where none has the name, or
 * none is given and there are several images.
 */
export function chooseByName<Image>(
  archive: string,
  images: readonly Image[],
  wanted: string | undefined,
  { names, identity }: Naming<Image>,
): Image {
  const known = [...new Set(images.map((image) => names(image)[0] ?? '(no name)'))].join(', ');
  const matching = wanted === undefined ? images : images.filter((image) => names(image).includes(wanted));
  const [first] = matching;
  if (first === undefined) {
    throw new ArchiveError(
      archive,
      wanted === undefined || images.length === 0
        ? 'holds no image'
        : `holds no image ${wanted}, but ${known}`,
    );
  }
  if (new Set(matching.map(identity)).size > 1) {
    throw new ArchiveError(archive, `holds several images; choose one with ${archive}#NAME: ${known}`);
  }
  return first;
}
