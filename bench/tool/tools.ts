import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** A program with the words that start it. */
export interface Tool {
  readonly program: string;
  readonly words: readonly string[];
}

/** A set of packages in a tree of its own, as scripts/install-bench-tools.sh unpacks them. */
export type ToolTree =
  'load' | 'erofsfuse' | 'composefs' | 'erofs-utils' | 'debootstrap' | 'chromium' | 'libfuse2';

/** PostgreSQL's programs first: those of /usr/bin with their names are Debian's scripts. */
const PROGRAM_DIRECTORIES = ['usr/lib/postgresql/15/bin', 'usr/bin', 'usr/sbin', 'bin', 'sbin'];
const LIBRARY_DIRECTORIES = [
  'usr/lib/x86_64-linux-gnu',
  'lib/x86_64-linux-gnu',
  // fio is linked with Ceph's client and Chromium with PulseAudio's, whose libraries lie apart.
  'usr/lib/x86_64-linux-gnu/ceph',
  'usr/lib/x86_64-linux-gnu/pulseaudio',
];
const LOADERS = ['lib64/ld-linux-x86-64.so.2', 'usr/lib64/ld-linux-x86-64.so.2'];

/** Peers and load generators that were fetched beside the system. */
export class Tools {
  constructor(private readonly directory: string) {}

  tree(tree: ToolTree): string {
    return join(this.directory, tree);
  }

  /** Where containerd 2 is, if it was fetched. */
  get containerd2(): string | undefined {
    const directory = join(this.directory, 'containerd-2', 'bin');
    return existsSync(join(directory, 'containerd')) ? directory : undefined;
  }

  /** The directory that holds the npm package, if it was fetched. */
  get fuseNative(): string | undefined {
    const directory = join(this.directory, 'fuse-native', 'node_modules', 'fuse-native');
    return existsSync(directory) ? directory : undefined;
  }

  /** Directories with libraries of a tree. */
  libraries(tree: ToolTree): string[] {
    return LIBRARY_DIRECTORIES.map((directory) => join(this.tree(tree), directory)).filter(existsSync);
  }

  /** A program of a tree, run by the tree's own loader with its own libraries; undefined where it is not there. */
  find(tree: ToolTree, name: string): Tool | undefined {
    const at = this.tree(tree);
    const file = PROGRAM_DIRECTORIES.map((directory) => join(at, directory, name)).find(existsSync);
    if (file === undefined) return undefined;
    const loader = LOADERS.map((path) => join(at, path)).find(existsSync);
    if (loader === undefined) return { program: file, words: [] };
    return { program: loader, words: ['--library-path', this.libraries(tree).join(':'), file] };
  }

  /** The version of a Debian package in a tree, as its changelog begins. */
  async version(tree: ToolTree, name: string): Promise<string> {
    const directory = join(this.tree(tree), 'usr/share/doc', name);
    for (const changelog of ['changelog.Debian.gz', 'changelog.gz']) {
      const packed = await readFile(join(directory, changelog)).catch(() => undefined);
      const version = packed && /^\S+ \(([^)]+)\)/.exec(gunzipSync(packed).subarray(0, 200).toString())?.[1];
      if (version !== undefined) return version;
    }
    return 'unknown';
  }
}
