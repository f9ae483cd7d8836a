import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BackgroundProcess } from '../../scripts/process/background-process';
import { CommandError, runCommand, type CommandOutput } from '../../scripts/process/command';
import { killProcesses, readProcessTable } from '../../scripts/process/process-table';
import { eventually } from '../../linux/testing/eventually';

const SYSTEMD = '/lib/systemd/systemd';
const BOOT_LIMIT = 20_000;
const COMMAND_LIMIT = 60_000;
const KILL_LIMIT = 10_000;
const CGROUP_LIMIT = 10_000;

/** What services depend on by default and the target that is booted into: of the machine's own units none is known. */
const TARGETS = ['sysinit', 'basic', 'multi-user', 'shutdown'];

/**
 * Mounts of other tests, which would live on as long as this namespace. Lazily and by the names in the table, so that no
 * mounted file system is asked, which may be one that hangs. One that is gone with its parent is no failure.
 */
const WITHOUT_OTHER_TESTS = String.raw`
cut -d' ' -f5 /proc/self/mountinfo | grep ^/tmp/ | sort -r | while read -r target; do
  umount --lazy --no-canonicalize --no-mtab "$(printf %b "$target")" || true
done
`;

/**
 * The control group is made in the hierarchy of version 2, which every kernel has, also where others are in use; systemd
 * then has it alone, as the root of a namespace. $1 is the directory, $2 the group, $3 what to run.
 */
const OUTSIDE = String.raw`${WITHOUT_OTHER_TESTS}mount -t cgroup2 none "$1/cgroup"
mkdir "$1/cgroup/$2"
echo $$ >"$1/cgroup/$2/cgroup.procs"
exec unshare --mount --propagation private --pid --fork --kill-child --cgroup --ipc --uts --net sh -ec "$3" sh "$1"
`;

/** The machine's files can be read only, but for $1; /proc/sys too, which systemd would set for the whole machine. */
const INSIDE = String.raw`
umount "$1/cgroup"
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount -t tmpfs -o mode=755 tmpfs /run
mount -t cgroup2 none /sys/fs/cgroup
mount --bind "$1" "$1"
mount -o remount,bind,ro /
`;

const BOOT = String.raw`${INSIDE}
export container=ishare-test SYSTEMD_UNIT_PATH="$1/units"
export SYSTEMD_GENERATOR_PATH="$1/none" SYSTEMD_ENVIRONMENT_GENERATOR_PATH="$1/none"
exec ${SYSTEMD} --unit=multi-user.target --log-target=console --show-status=false
`;

const REMOVE_CGROUP = String.raw`
mount -t cgroup2 none "$1/cgroup"
[ ! -d "$1/cgroup/$2" ] || find "$1/cgroup/$2" -depth -type d -exec rmdir {} +
`;

const ownMounts = (script: string, ...args: readonly string[]): readonly string[] => [
  ...['--mount', '--propagation', 'private', 'sh', '-ec', script, 'sh'],
  ...args,
];

/**
 * systemd as the first process of namespaces of its own, with no units but those in `units` of a directory, which is the
 * only one that can be written to there but for an empty /run. Disposing of it kills whatever runs there.
 */
export class BootedSystemd implements AsyncDisposable {
  private constructor(
    private readonly directory: string,
    private readonly launcher: BackgroundProcess,
    /** Of the first process, as everybody outside sees it. */
    readonly pid: number,
  ) {}

  /** Why this machine cannot boot one, or undefined where it can. */
  static async obstacle(directory: string): Promise<string | undefined> {
    try {
      await access(SYSTEMD);
      await prepare(directory);
      const args = ownMounts(OUTSIDE, directory, basename(directory), INSIDE);
      await runCommand('unshare', args, { timeLimit: BOOT_LIMIT });
    } catch (error) {
      // Where a control group can be made, the rest works, so nothing is left of what failed.
      return error instanceof CommandError && error.stderr !== '' ? error.stderr.trim() : String(error);
    }
    await removeControlGroup(directory);
    return undefined;
  }

  /** @param directory a short path of the caller's; units lie in `units` already. */
  static async boot(directory: string): Promise<BootedSystemd> {
    await prepare(directory);
    for (const target of TARGETS)
      await writeFile(join(directory, 'units', `${target}.target`), '[Unit]\nDefaultDependencies=no\n');
    const launcher = BackgroundProcess.start({
      program: 'unshare',
      arguments: ownMounts(OUTSIDE, directory, basename(directory), BOOT),
      logFile: join(directory, 'systemd.log'),
    });
    let systemd: BootedSystemd | undefined;
    try {
      await launcher.waitUntil(
        async () => {
          const pid = await firstProcessBelow(launcher.pid);
          if (pid === undefined) return false;
          systemd ??= new BootedSystemd(directory, launcher, pid);
          return systemd.#running();
        },
        'systemd has booted',
        BOOT_LIMIT,
      );
    } catch (error) {
      if (systemd === undefined) {
        await launcher.stop(0);
        await removeControlGroup(directory);
      } else {
        await systemd[Symbol.asyncDispose]();
      }
      throw error;
    }
    if (systemd === undefined) throw new Error('unreachable: it was waited for');
    return systemd;
  }

  /** How a path in there is reached from outside. */
  path(inside: string): string {
    return `/proc/${this.pid}/root${inside}`;
  }

  /** Words that run a command in there. */
  get prefix(): readonly [string, ...string[]] {
    return ['nsenter', `--target=${this.pid}`, '--mount', '--pid', '--uts', '--ipc', '--net', '--'];
  }

  async run(...command: readonly string[]): Promise<CommandOutput> {
    const [program, ...words] = [...this.prefix, ...command] as [string, ...string[]];
    return runCommand(program, words, { timeLimit: COMMAND_LIMIT });
  }

  async systemctl(...words: readonly string[]): Promise<string> {
    return (await this.run('systemctl', '--no-pager', ...words)).stdout.trim();
  }

  /** A property of a unit, as `systemctl show` prints it. */
  async property(unit: string, name: string): Promise<string> {
    return this.systemctl('show', '--value', `--property=${name}`, unit);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The kernel ends whatever else lives in there with its first process, and takes the mounts away with the last.
    const left = await killProcesses([this.pid], KILL_LIMIT);
    await this.launcher.stop(KILL_LIMIT);
    await removeControlGroup(this.directory);
    if (left.length > 0) throw new Error(`systemd (pid ${this.pid}) outlives SIGKILL`);
  }

  async #running(): Promise<boolean> {
    try {
      return (await this.systemctl('is-system-running')) === 'running';
    } catch (error) {
      // It does not answer yet, or is not there yet, or still starts.
      if (error instanceof CommandError && error.outcome.failure === 'exit-code') return false;
      throw error;
    }
  }
}

async function prepare(directory: string): Promise<void> {
  for (const name of ['units', 'cgroup']) await mkdir(join(directory, name), { recursive: true });
}

/** The child that is the first process of a pid namespace; others, before it, prepare things. */
async function firstProcessBelow(parent: number): Promise<number | undefined> {
  for (const { pid, parentPid } of await readProcessTable()) {
    if (parentPid !== parent) continue;
    // proc(5): its number in each namespace that it is in, the innermost last.
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    if (/^NSpid:.*\t1$/m.test(status)) return pid;
  }
  return undefined;
}

/** A control group stays busy for a moment after its processes have ended. */
async function removeControlGroup(directory: string): Promise<void> {
  await eventually(
    'the control group is gone',
    async () => {
      try {
        await runCommand('unshare', ownMounts(REMOVE_CGROUP, directory, basename(directory)));
        return true;
      } catch (error) {
        if (error instanceof CommandError && error.stderr.includes('busy')) return false;
        throw error;
      }
    },
    CGROUP_LIMIT,
  );
}
