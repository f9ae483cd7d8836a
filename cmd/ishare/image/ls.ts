import type { Command } from 'commander';
import type { Nid } from '../../../erofs/brands';
import { childPath, directoryEntries, isDotOrDotDot } from '../../../erofs/directory-entries';
import type { ErofsImage, Inode } from '../../../erofs/image';
import { isDirectory } from '../../../erofs/inode';
import { resolvePath } from '../../../erofs/path-resolution';
import { CommandError } from '../command-error';
import { complain, imageAction, imageCommandOf, openImage, type ImageFlags } from './image-action';
import { listedEntry, listedJson, printListing, type ListedEntry, type ListingStyle } from './listing';
import { JsonArrayOutput, OutputClosedError, OutputLines } from './standard-output';
import { outputName, visibleName } from './visible-name';

interface LsFlags extends ImageFlags {
  readonly long?: true;
  readonly recursive?: true;
  readonly all?: true;
  readonly directory?: true;
  readonly inode?: true;
  readonly json?: true;
}

/** As ls has it: something below a directory, or something that was named. */
const MINOR = 1;
const SERIOUS = 2;

const DOT = 0x2e;

export function lsCommand(): Command {
  return imageCommandOf('ls', SERIOUS)
    .description('list directories of an image')
    .argument('<image>', 'EROFS image')
    .argument('[path...]', 'directories and files in it; the root where none is given')
    .option('-l, --long', 'with modes, links, owners, sizes or device numbers, and times')
    .option('-R, --recursive', 'with all directories below')
    .option('-a, --all', 'also names that begin with a dot')
    .option('-d, --directory', 'directories themselves, not what is in them')
    .option('-i, --inode', 'with inode numbers')
    .option('--json', 'print JSON for programs')
    .addHelpText(
      'after',
      '\nExit codes: 0 all was listed, 1 not all below a directory, 2 not all that was named.',
    )
    .action((path: string, paths: readonly string[], flags: LsFlags) =>
      imageAction('ls', SERIOUS, async () => {
        await using image = await openImage(path, flags.device);
        return await new Lister(image, flags).list(paths.length === 0 ? ['/'] : paths);
      }),
    );
}

/** A directory that is still to be listed. */
interface Waiting {
  readonly path: Buffer;
  readonly inode: Inode;
  /** The directories that lead to it: an image may hold one that leads to itself. */
  readonly above: ReadonlySet<Nid>;
}

class Lister {
  readonly #lines = new OutputLines();
  readonly #json: JsonArrayOutput | undefined;
  readonly #style: ListingStyle;
  #exitCode = 0;
  #listed = 0;

  constructor(
    private readonly image: ErofsImage,
    private readonly flags: LsFlags,
  ) {
    this.#json = flags.json === true ? new JsonArrayOutput() : undefined;
    this.#style = { long: flags.long === true, inodeNumbers: flags.inode === true };
  }

  async list(paths: readonly string[]): Promise<number> {
    const { files, directories } = await this.#sorted(paths);
    await this.#print(files, undefined);
    this.#listed += files.length;
    const headed = paths.length > 1 || this.flags.recursive === true;
    const waiting = directories.reverse();
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const below = await this.#listDirectory(next, headed);
      if (this.flags.recursive === true) waiting.push(...below.reverse());
    }
    if (this.#json === undefined) await this.#lines.flush();
    else await this.#json.end();
    return this.#exitCode;
  }

  /** What was named: files come first, then what is in directories. */
  async #sorted(paths: readonly string[]): Promise<{ files: ListedEntry[]; directories: Waiting[] }> {
    const files: ListedEntry[] = [];
    const directories: Waiting[] = [];
    for (const path of [...paths].sort()) {
      await this.#trying(SERIOUS, async () => {
        const name = Buffer.from(path);
        // A symlink to a directory stands for that directory, but for itself where its own line is wanted.
        const itself = this.flags.long === true || this.flags.directory === true;
        const inode = await this.#resolve(name, !itself);
        if (isDirectory(inode) && this.flags.directory !== true)
          directories.push({ path: name, inode, above: new Set([inode.nid]) });
        else files.push(await listedEntry(this.image, name, inode));
      });
    }
    return { files, directories };
  }

  /** A symlink that leads nowhere, or to no directory, is listed itself. */
  async #resolve(path: Buffer, follow: boolean): Promise<Inode> {
    const inode = await resolvePath(this.image, path, false);
    if (!follow) return inode;
    const target = await resolvePath(this.image, path, true).catch(() => inode);
    return isDirectory(target) ? target : inode;
  }

  async #listDirectory({ path, inode, above }: Waiting, headed: boolean): Promise<Waiting[]> {
    const entries: ListedEntry[] = [];
    await this.#trying(MINOR, async () => {
      for await (const { name, nid } of directoryEntries(this.image, inode)) {
        if (this.flags.all !== true && name[0] === DOT) continue;
        await this.#trying(MINOR, async () => {
          entries.push(await listedEntry(this.image, name, await this.image.inode(nid)));
        });
      }
    });
    entries.sort((left, right) => left.name.compare(right.name));
    if (headed && this.#json === undefined) {
      if (this.#listed++ > 0) await this.#lines.add('');
      await this.#lines.add(Buffer.concat([outputName(path), Buffer.from(':')]));
    }
    await this.#print(entries, path);
    return this.#directoriesOf(entries, path, above);
  }

  #directoriesOf(entries: readonly ListedEntry[], path: Buffer, above: ReadonlySet<Nid>): Waiting[] {
    if (this.flags.recursive !== true) return [];
    const found: Waiting[] = [];
    for (const { name, inode } of entries) {
      if (!isDirectory(inode) || isDotOrDotDot(name)) continue;
      const below = childPath(path, name);
      if (above.has(inode.nid)) {
        complain('ls', new CommandError(`${visibleName(below)}: not listed again, for it contains itself`));
        this.#exitCode = Math.max(this.#exitCode, SERIOUS);
      } else {
        found.push({ path: below, inode, above: new Set([...above, inode.nid]) });
      }
    }
    return found;
  }

  async #print(entries: readonly ListedEntry[], directory: Buffer | undefined): Promise<void> {
    if (this.#json === undefined) {
      await printListing(this.image, entries, this.#style, this.#lines);
      return;
    }
    for (const entry of entries) {
      const path = directory === undefined ? entry.name : childPath(directory, entry.name);
      await this.#json.add(listedJson(path, entry));
    }
  }

  /** Goes on after a problem, and remembers the worst. */
  async #trying(exitCode: number, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof OutputClosedError) throw error;
      complain('ls', error);
      this.#exitCode = Math.max(this.#exitCode, exitCode);
    }
  }
}
