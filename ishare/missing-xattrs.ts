import type { ErofsImage } from '../erofs/image';
import { Slice } from './slice';

/** What programs ask of every file that they see, `ls -l` for one: labels, capabilities and access control lists. */
const ASKED: ReadonlySet<string> = new Set([
  'security.selinux',
  'security.capability',
  'system.posix_acl_access',
  'system.posix_acl_default',
]);

const NONE: ReadonlySet<string> = new Set();

/** Questions in vain that make it worth looking through an image: some hundred files. */
const MANY = 2000;

/** Who keeps the image open. */
export interface ImageHolder {
  readonly image: ErofsImage;
  readonly detached: boolean;
  hold(): void;
  letGo(): Promise<void>;
}

/**
 * Finds attributes that no inode of an image has, once they have been asked for often. Of such a one can be said that the file
 * system does not know it (EOPNOTSUPP) instead of that the file does not have it (ENODATA): programs ask no more then, where
 * otherwise each file costs them a request or two, of which the kernel remembers no answer.
 *
 * They remember it by device. Containers have one for the whole image; those that run from layers one by one might take the answer of
 * one layer for another's, and `ls` would leave out the mark of an access list.
 */
export class MissingXattrs {
  /** Known once all of the image was looked through. */
  #missing = NONE;
  /** Questions in vain so far. */
  #vain = 0;

  constructor(private readonly owner: ImageHolder) {}

  /** Whether no inode of the image has it, as far as is known. */
  has(name: Buffer): boolean {
    return this.#missing !== NONE && this.#missing.has(name.toString('latin1'));
  }

  /** An inode was asked for it and does not have it. */
  asked(name: Buffer): void {
    if (this.#vain === MANY || !ASKED.has(name.toString('latin1'))) return;
    this.#vain += 1;
    if (this.#vain < MANY) return;
    // Where the image cannot be read whole, each file goes on to be asked for itself, and who reads it is told.
    this.#look().catch(() => undefined);
  }

  /** In slices: an image may have any number of inodes. */
  async #look(): Promise<void> {
    const { owner } = this;
    owner.hold();
    try {
      const missing = new Set(ASKED);
      const slice = new Slice();
      for await (const inode of owner.image.inodes()) {
        if (owner.detached || missing.size === 0) return;
        for (const { name } of await owner.image.xattrs(inode)) missing.delete(name.toString('latin1'));
        if (slice.over) await slice.rest();
      }
      this.#missing = missing;
    } finally {
      await owner.letGo();
    }
  }
}
