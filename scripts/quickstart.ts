import { access } from 'node:fs/promises';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { colors } from '../cmd/colors';
import { stringify } from 'smol-toml';
import { PrivateContainerd } from './containerd/private-containerd';
import { CHECKOUT, PrivateSnapshotter } from './containerd/private-snapshotter';
import { makeRedisPair } from './oci/redis-image';
import { runCommand } from './process/command';
import { Interruption, InterruptedError } from './process/interruption';
import { TemporaryDirectory } from './process/temporary-directory';
import { measure, type Candidate, type Measurement } from './quickstart/measurement';
import { Progress } from './quickstart/progress';
import { report } from './quickstart/report';

interface Options {
  /** Another snapshotter of containerd's, such as `overlayfs`, to compare with; default ours. */
  readonly snapshotter: string;
}

const SNAPSHOTTER = 'ishare';

/** Names of containerd namespaces are cgroup names too, which the whole machine shares: hence the pid. */
const UNSHARED = `quickstart-${process.pid}`;
const SHARED = `quickstart-shared-${process.pid}`;

/** The default gives no domain, so nothing is shared but in the one namespace that has one. */
const CONFIGURATION = stringify({ domains: { default: '', namespaces: { [SHARED]: 'quickstart' } } });

async function main(): Promise<number> {
  const command = new Command('quickstart')
    .description(
      'Shows what page cache sharing saves, on two images of redis-server or on OCI archives of yours.',
    )
    .argument('[archives...]', 'OCI or docker archives to use instead')
    .option(
      '--snapshotter <name>',
      'measure another snapshotter of containerd (overlayfs) instead',
      SNAPSHOTTER,
    )
    .parse();
  const { snapshotter } = command.opts<Options>();
  // npm runs scripts in the package's directory; names are meant from where the user stands.
  const from = process.env['INIT_CWD'] ?? process.cwd();
  const archives = command.args.map((archive) => resolve(from, archive));

  using progress = new Progress(process.stderr);
  using interruption = new Interruption(() => {
    progress.note('Still cleaning up; this ends by itself.');
  });
  const { signal } = interruption;
  try {
    for (const archive of archives) await access(archive);
    const results = await compare(archives, snapshotter, progress, signal);
    signal.throwIfAborted();
    progress.done();
    process.stdout.write(`\n${results}\n`);
    return 0;
  } catch (error) {
    progress.failed();
    const reason: unknown = signal.aborted ? signal.reason : error;
    if (reason instanceof InterruptedError) {
      if (isSuppressed(error)) {
        process.stderr.write(`${colors.red('Stopped, but cleaning up failed:')} ${messageOf(error.error)}\n`);
        return 1;
      }
      progress.note('Stopped. Nothing is left running, mounted or on disk.');
      return 128 + constants.signals[reason.by];
    }
    process.stderr.write(`${colors.red('The quickstart failed:')} ${messageOf(reason)}\n`);
    return 1;
  }
}

async function compare(
  archives: readonly string[],
  snapshotter: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<string> {
  const onStep = (step: string): void => {
    progress.step(step);
  };
  await using directory = await TemporaryDirectory.create('ishare-quickstart');
  const { candidates, remark } =
    archives.length > 0
      ? { candidates: archives.map((archive) => ({ archive })), remark: undefined }
      : await redis(directory.path, onStep, signal);
  if (remark !== undefined) progress.note(remark);

  onStep('Starting the snapshotter and a private containerd');
  const ours = snapshotter === SNAPSHOTTER;
  await using daemon = ours
    ? await PrivateSnapshotter.start({
        directory: join(directory.path, 's'),
        configuration: CONFIGURATION,
        signal,
      })
    : undefined;
  await using containerd = await PrivateContainerd.start({
    directory: join(directory.path, 'c'),
    proxies: daemon === undefined ? [] : [{ name: SNAPSHOTTER, socket: daemon.socket }],
    signal,
  });
  if (daemon !== undefined) await sayWhatIsMissed(daemon, progress, signal);
  const inNamespace = (namespace: string, label: string): Promise<Measurement> =>
    measure(candidates, {
      ...{ containerd, snapshotter, namespace, label },
      ...{ directory: directory.path, signal, onStep },
    });
  const unshared = await inNamespace(UNSHARED, 'Without sharing');
  const shared = await inNamespace(SHARED, ours ? 'With sharing' : 'Once more');
  onStep('Cleaning up');
  return [report(unshared, shared), '', nextSteps(containerd.version)].join('\n');
}

async function redis(
  directory: string,
  onStep: (step: string) => void,
  signal: AbortSignal,
): Promise<{ readonly candidates: Candidate[]; readonly remark: string | undefined }> {
  const { images, sameVersion } = await makeRedisPair({ directory, signal, onStep });
  const ping = ['/usr/bin/redis-cli', 'ping'];
  return {
    candidates: images.map(({ archive }) => ({ archive, ping })),
    remark: sameVersion
      ? `This machine's apt sources hold one version of redis-server (${images[0].version}): both images are builds of it.`
      : undefined,
  };
}

/** On a kernel without FUSE passthrough the daemon runs and shares less: it says itself what. */
async function sayWhatIsMissed(
  daemon: PrivateSnapshotter,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const args = ['status', '--json', '--address', daemon.adminSocket];
  const { stdout } = await runCommand(join(CHECKOUT, 'bin', 'ishare'), args, { timeLimit: 30_000, signal });
  const status = JSON.parse(stdout) as { readonly passthrough?: unknown; readonly sharing?: unknown };
  if (status.passthrough === false) progress.note(`Sharing on this kernel: ${String(status.sharing)}`);
}

function nextSteps(containerd: string): string {
  return [
    `Measured with containerd ${containerd}. What to do next:`,
    '  npm run quickstart -- one.tar two.tar    the same with OCI archives of yours (docker save, skopeo copy)',
    '  README.md                                how to add the snapshotter to your containerd, nerdctl or Kubernetes',
    '  bin/ishare --help                        what is shared, by domain, image and file, while it runs',
  ].join('\n');
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (isSuppressed(error)) {
    return `${messageOf(error.suppressed)}\nCleaning up failed too: ${messageOf(error.error)}`;
  }
  return error.message;
}

/** Cleaning up failed (`error`) after something else had (`suppressed`); Node 20 has no such class of its own. */
function isSuppressed(
  error: unknown,
): error is Error & { readonly error: unknown; readonly suppressed: unknown } {
  return error instanceof Error && 'suppressed' in error && 'error' in error;
}

void main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 1;
  },
);
