import { access, mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError, runCommand } from '../process/command';

/** One version of a package that apt can download. */
export interface PackageVersion {
  readonly name: string;
  readonly version: string;
}

/** apt cannot give what is asked for. The message names the package. */
export class PackageError extends Error {
  override readonly name = 'PackageError';
}

/** What this module needs to know of a package: the fields of deb-control(5). */
interface PackageRecord extends PackageVersion {
  readonly section: string;
  /** The terms of Pre-Depends and Depends. */
  readonly depends: readonly (readonly Alternative[])[];
}

/** `name (= version)`; `exactly` is absent for other relations, which the newest version fulfils. */
interface Alternative {
  readonly name: string;
  readonly exactly?: string;
}

/** Messages of apt are read, so they must be in English. */
const ENVIRONMENT = { LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
/** Without the list of installed packages, apt knows versions that it can download only. */
const NOTHING_INSTALLED = ['-o', 'Dir::State::status=/dev/null'];
const QUERY_LIMIT = 60_000;
const UPDATE_LIMIT = 180_000;
const DOWNLOAD_LIMIT = 300_000;

/**
 * Debian packages as the machine's own apt sources offer them. Nothing is installed and no source is changed; where
 * the lists of packages are missing or outdated, `apt-get update` runs once.
 */
export class DebianPackages {
  #updated = false;
  /** What apt has answered, by `name` and `name=version`; undefined for what it does not know. */
  readonly #answers = new Map<string, PackageRecord | undefined>();

  constructor(private readonly signal?: AbortSignal) {}

  /**
   * The versions of a package that can be downloaded, the newest first, each once.
   *
   * @throws PackageError when there is none even after `apt-get update`.
   */
  async versions(name: string): Promise<string[]> {
    for (;;) {
      const { stdout } = await this.#query('apt-cache', ['madison', name]);
      // madison prints `name | version | source`, the newest first, a line for each source.
      const versions = stdout
        .split('\n')
        .map((line) => line.split('|').map((field) => field.trim()))
        .filter(([listed, , source]) => listed === name && source?.endsWith(' Packages') === true)
        .map(([, version]) => version ?? '');
      if (versions.length > 0) return [...new Set(versions)];
      if (this.#updated)
        throw new PackageError(`${name}: the apt sources of this machine hold no such package`);
      await this.#update();
    }
  }

  /**
   * A package with what it needs to run: its Depends and Pre-Depends, followed through packages of the sections that
   * hold libraries, and through those that `also` names. Recommends, virtual packages and the tools of package
   * maintenance are left out.
   */
  async closure(root: PackageVersion, also: ReadonlySet<string> = new Set()): Promise<PackageVersion[]> {
    const chosen = new Map<string, PackageVersion>();
    // A level of the graph a time: each question to apt costs half a second, however many packages it names.
    let level: readonly (readonly Alternative[])[] = [[{ name: root.name, exactly: root.version }]];
    while (level.length > 0) {
      const records = await this.#records(level.flat());
      const wanted = new Map<string, PackageRecord>();
      for (const term of level) {
        const record = firstKnown(term, records);
        if (record === undefined || chosen.has(record.name)) continue;
        if (record.name === root.name || also.has(record.name) || isLibrary(record.section)) {
          wanted.set(record.name, record);
        }
      }
      for (const { name, version } of wanted.values()) chosen.set(name, { name, version });
      level = [...wanted.values()].flatMap((record) => record.depends);
    }
    if (chosen.get(root.name)?.version !== root.version) {
      throw new PackageError(`${root.name} ${root.version}: apt knows no such version`);
    }
    return [...chosen.values()];
  }

  /**
   * Downloads packages into the directory `downloads`, unless they are there already, and unpacks each into `root`
   * without running its scripts.
   */
  async unpack(packages: readonly PackageVersion[], downloads: string, root: string): Promise<void> {
    await mkdir(downloads, { recursive: true });
    await mkdir(root, { recursive: true });
    const present = await readdir(downloads);
    const missing = packages.filter((wanted) => archiveOf(wanted, present) === undefined);
    if (missing.length > 0) await this.#download(missing, downloads);
    const archives = await readdir(downloads);
    for (const wanted of packages) {
      const archive = archiveOf(wanted, archives);
      if (archive === undefined) throw new PackageError(`${keyOf(wanted)}: apt-get download left no file`);
      await runCommand('dpkg', ['-x', join(downloads, archive), root], {
        signal: this.signal,
        timeLimit: QUERY_LIMIT,
      });
    }
  }

  async #download(packages: readonly PackageVersion[], directory: string): Promise<void> {
    const names = packages.map(keyOf);
    // Downloading as root spares apt's user _apt the way into a directory that is closed to it.
    const settings = [...NOTHING_INSTALLED, '-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Retries=2'];
    const args = ['-q', ...settings, 'download', ...names];
    const options = { directory, environment: ENVIRONMENT, timeLimit: DOWNLOAD_LIMIT, signal: this.signal };
    try {
      await runCommand('apt-get', args, options);
    } catch (error) {
      // Lists that are older than the mirror name files that are gone.
      if (this.#updated || !(error instanceof CommandError)) throw error;
      await this.#update();
      await runCommand('apt-get', args, options);
    }
  }

  async #update(): Promise<void> {
    this.#updated = true;
    this.#answers.clear();
    const attempts = 5;
    for (let attempt = 1; ; attempt++) {
      try {
        const options = { environment: ENVIRONMENT, timeLimit: UPDATE_LIMIT, signal: this.signal };
        await runCommand('apt-get', ['-q', 'update'], options);
        return;
      } catch (error) {
        // Another apt may hold the lock for a while; one unreachable source of several is no reason to give up.
        const locked = error instanceof CommandError && error.stderr.includes('Could not get lock');
        if (!locked || attempt === attempts) {
          if (error instanceof CommandError && error.outcome.failure === 'exit-code' && !locked) return;
          throw error;
        }
        await sleep(2_000, undefined, { signal: this.signal });
      }
    }
  }

  /** What apt knows of packages, by name or `name=version`. Virtual and unknown packages are not in it. */
  async #records(wanted: readonly Alternative[]): Promise<ReadonlyMap<string, PackageRecord | undefined>> {
    const names = [...new Set(wanted.map(specificationOf))].filter((name) => !this.#answers.has(name));
    if (names.length === 0) return this.#answers;
    const args = ['show', '--no-all-versions', ...names];
    let text: string;
    try {
      text = (await this.#query('apt-cache', args)).stdout;
    } catch (error) {
      // It ends with 100 where one of the names is virtual or unknown, and prints the others all the same.
      if (!(error instanceof CommandError && error.outcome.exitCode === 100)) throw error;
      text = error.outcome.stdout;
    }
    const records = text.split('\n\n').flatMap(parseRecord);
    for (const name of names) {
      const found = records.find((record) => record.name === name || keyOf(record) === name);
      this.#answers.set(name, found);
    }
    return this.#answers;
  }

  #query(program: string, args: readonly string[]): Promise<{ readonly stdout: string }> {
    return runCommand(program, [...NOTHING_INSTALLED, ...args], {
      environment: ENVIRONMENT,
      timeLimit: QUERY_LIMIT,
      signal: this.signal,
    });
  }
}

function firstKnown(
  term: readonly Alternative[],
  records: ReadonlyMap<string, PackageRecord | undefined>,
): PackageRecord | undefined {
  for (const alternative of term) {
    const record = records.get(specificationOf(alternative));
    if (record !== undefined) return record;
  }
  return undefined;
}

function specificationOf({ name, exactly }: Alternative): string {
  return exactly === undefined ? name : keyOf({ name, version: exactly });
}

function keyOf({ name, version }: PackageVersion): string {
  return `${name}=${version}`;
}

/** apt names the file `name_version_architecture.deb`, with the version's colon written as %3a. */
function archiveOf({ name, version }: PackageVersion, files: readonly string[]): string | undefined {
  const start = `${name}_${version.replaceAll(':', '%3a')}_`;
  return files.find((file) => file.startsWith(start) && file.endsWith('.deb'));
}

function isLibrary(section: string): boolean {
  return /(^|\/)(libs|oldlibs)$/.test(section);
}

function parseRecord(text: string): PackageRecord[] {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith(' ')) fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const name = fields.get('Package');
  const version = fields.get('Version');
  if (name === undefined || version === undefined) return [];
  const depends = [fields.get('Pre-Depends'), fields.get('Depends')].flatMap(parseTerms);
  return [{ name, version, section: fields.get('Section') ?? '', depends }];
}

function parseTerms(field: string | undefined): Alternative[][] {
  if (field === undefined) return [];
  return field.split(',').map((term) => term.split('|').flatMap(parseAlternative));
}

/** `name:any (>= 1.0) [amd64] <!nocheck>`: name and relation count here. */
function parseAlternative(text: string): Alternative[] {
  const match = /^\s*([a-z0-9][a-z0-9+.-]*)(?::\w+)?(?:\s*\(\s*(<<|<=|=|>=|>>)\s*([^)\s]+)\s*\))?/.exec(text);
  const [, name, relation, version] = match ?? [];
  if (name === undefined) return [];
  return relation === '=' && version !== undefined ? [{ name, exactly: version }] : [{ name }];
}

/** Top directories that a merged /usr has as links; from Debian 13 on packages rely on base-files for them. */
const MERGED = ['bin', 'sbin', 'lib', 'lib64'];

/** Links /bin, /sbin, /lib and /lib64 into /usr where the unpacked packages put nothing there themselves. */
export async function linkMergedUsr(root: string): Promise<void> {
  for (const name of MERGED) {
    if ((await exists(join(root, name))) || !(await exists(join(root, 'usr', name)))) continue;
    await symlink(`usr/${name}`, join(root, name));
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
