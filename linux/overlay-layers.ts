import type { MountEntry } from './mount-table';

/** The directories that an overlay is made of. */
export interface OverlayLayers {
  readonly upper: string | undefined;
  /** As mounted, the topmost first; relative ones name nothing. */
  readonly lower: readonly string[];
}

/** Read from the options of an overlay's superblock, which the kernel shows as they were given (fs/overlayfs/params.c). */
export function overlayLayers({ superOptions }: MountEntry): OverlayLayers {
  const values = (key: string): string[] =>
    superOptions
      .filter((option) => option.startsWith(`${key}=`))
      .map((option) => option.slice(key.length + 1));
  return {
    upper: values('upperdir')[0],
    lower: [...values('lowerdir').flatMap((list) => list.split(':')), ...values('lowerdir+')],
  };
}
