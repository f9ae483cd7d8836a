import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKOUT } from '../../scripts/containerd/private-snapshotter';
import { runCommand } from '../../scripts/process/command';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import type { Tools } from '../tool/tools';
import type { BenchImage, ImagePair } from './bench-image';

interface PairRecipe {
  readonly name: string;
  /** Debian packages of the application layer; the first one's version is the image's. */
  readonly packages: readonly [string, ...string[]];
  /** A package of npm in two neighbouring versions, with packages that it needs of the same version. */
  readonly npm?: { readonly names: readonly string[]; readonly versions: readonly [string, string] };
}

/** As the page cache share of the kernel was measured with, as far as Debian and npm have it. */
const RECIPES: readonly PairRecipe[] = [
  { name: 'redis', packages: ['redis-server'] },
  { name: 'postgres', packages: ['postgresql-15'] },
  { name: 'mariadb', packages: ['mariadb-server'] },
  { name: 'nginx', packages: ['nginx'] },
  { name: 'tomcat', packages: ['tomcat10'] },
  {
    name: 'onnxruntime',
    packages: ['nodejs'],
    npm: { names: ['onnxruntime-node', 'onnxruntime-common'], versions: ['1.20.1', '1.21.0'] },
  },
];

export const PAIR_NAMES = RECIPES.map(({ name }) => name);

/** The smallest one, for quick runs. */
export const QUICK_PAIRS: readonly string[] = ['redis'];

const VARIANTS = [
  { letter: 'a', age: 'oldest' },
  { letter: 'b', age: 'newest' },
] as const;

const TREE_LIMIT = 1_800_000;
const NPM_LIMIT = 300_000;

/** Where the Node packages of the onnxruntime images are. */
export const NODE_PACKAGES = '/opt/node_modules';

/**
 * Neighbouring images of Debian packages: A from the main suite as it was released, B with all updates, each on a base of
 * its own. They are made once and kept.
 */
export class DebianPairs {
  constructor(
    private readonly directory: string,
    private readonly tools: Tools,
    private readonly signal: AbortSignal,
    private readonly onStep: (text: string) => void,
  ) {}

  async pair(name: string): Promise<ImagePair> {
    const recipe = RECIPES.find((known) => known.name === name);
    if (recipe === undefined) throw new Error(`there is no pair ${name}; there are ${PAIR_NAMES.join(', ')}`);
    const [a, b] = [await this.#image(recipe, 0), await this.#image(recipe, 1)];
    return { name, images: [a.image, b.image], versions: [a.version, b.version] };
  }

  async #image(
    recipe: PairRecipe,
    index: 0 | 1,
  ): Promise<{ readonly image: BenchImage; readonly version: string }> {
    const { letter, age } = VARIANTS[index];
    const trees = join(this.directory, 'trees', letter);
    const base = join(trees, 'base');
    const application = join(trees, recipe.name);
    if (!existsSync(base)) {
      this.onStep(`Installing the base of the ${age} images`);
      await this.#script(['base', age, base]);
    }
    if (!existsSync(application)) {
      this.onStep(`Installing ${recipe.packages.join(', ')}, ${age}`);
      const unfinished = `${application}.debian`;
      await rm(unfinished, { recursive: true, force: true });
      await this.#script(['application', base, unfinished, ...recipe.packages]);
      if (recipe.npm !== undefined) {
        const { names, versions } = recipe.npm;
        for (const name of names) await this.#addNodePackage(unfinished, name, versions[index]);
      }
      await rename(unfinished, application);
    }
    const version =
      recipe.npm === undefined
        ? await debianVersion(application, recipe.packages[0])
        : recipe.npm.versions[index];
    return { image: { name: `${recipe.name}-${letter}`, layers: [base, application] }, version };
  }

  async #script(words: readonly string[]): Promise<void> {
    const debootstrap = this.tools.tree('debootstrap');
    const environment = {
      DEBIAN_ARCHIVES: join(this.directory, 'packages'),
      ...(existsSync(debootstrap) ? { DEBOOTSTRAP: debootstrap } : {}),
    };
    const options = { environment, timeLimit: TREE_LIMIT, signal: this.signal };
    await runCommand('bash', [join(CHECKOUT, 'scripts', 'oci', 'debian-tree.sh'), ...words], options);
  }

  /** Unpacks a package without running its scripts, which would fetch more from elsewhere. */
  async #addNodePackage(tree: string, name: string, version: string): Promise<void> {
    await using temporary = await TemporaryDirectory.create('bench-npm');
    const options = { directory: temporary.path, timeLimit: NPM_LIMIT, signal: this.signal };
    const { stdout } = await runCommand('npm', ['pack', '--silent', `${name}@${version}`], options);
    const target = join(tree, NODE_PACKAGES, name);
    await mkdir(target, { recursive: true });
    const archive = stdout.trim().split('\n').at(-1) ?? '';
    await runCommand(
      'tar',
      ['--no-same-owner', '-xzf', archive, '--strip-components=1', '-C', target],
      options,
    );
  }
}

/** What dpkg's list of an application layer says of a package. */
async function debianVersion(tree: string, name: string): Promise<string> {
  const text = await readFile(join(tree, 'var/lib/dpkg/status'), 'utf8');
  const record = text.split('\n\n').find((found) => found.startsWith(`Package: ${name}\n`));
  return /^Version: (.+)$/m.exec(record ?? '')?.[1] ?? 'unknown';
}
