import { readdir, readFile } from 'node:fs/promises';
import type { BackgroundProcess } from '../../../scripts/process/background-process';
import { Paths } from '../../../snapshotter/paths';
import { MetadataStore } from '../../../snapshotter/store/metadata-store';
import { DaemonPlace } from '../../daemon/daemon-place';
import { SnapshotsConnection } from '../../harness/snapshots-connection';
import { brokenInvariants } from '../../harness/snapshots-invariants';

const STOP_LIMIT = 20_000;
const LEVELS: ReadonlySet<unknown> = new Set(['error', 'warn', 'info', 'debug']);
/** No request may fill the log: longest line (characters). */
const LONGEST_LINE = 20_000;

/** A daemon in a process of its own, so that whatever ends or blocks it is seen. */
export class FuzzedDaemon implements AsyncDisposable {
  private constructor(
    readonly place: DaemonPlace,
    readonly client: SnapshotsConnection,
    private readonly daemon: BackgroundProcess,
  ) {}

  static async start(configuration = ''): Promise<FuzzedDaemon> {
    const place = await DaemonPlace.create(configuration);
    const daemon = await place.start();
    return new FuzzedDaemon(place, new SnapshotsConnection(place.flags.address), daemon);
  }

  get running(): boolean {
    return this.daemon.running;
  }

  /** Stops the daemon and returns what is wrong with what it leaves: its log, its files, its end. */
  async complaints(): Promise<string[]> {
    await this.client.cleanup();
    this.daemon.signal('SIGTERM');
    const complaints: string[] = [];
    if (!(await this.daemon.waitForExit(STOP_LIMIT))) complaints.push('the daemon does not end');
    if (this.daemon.exitCode !== 0) complaints.push(`the daemon ended with ${this.daemon.exitCode}`);
    const log = await readFile(this.daemon.logFile, 'utf8');
    complaints.push(...log.trimEnd().split('\n').flatMap(complaintOfLine));
    const paths = new Paths(this.place.flags.root);
    using store = MetadataStore.open(paths.database);
    complaints.push(...(await brokenInvariants(paths, store)));
    // What this place holds beside the log, and nothing else: no text has become a path.
    const names = await readdir(this.place.path);
    const strange = names.filter((name) => !/^(config\.toml|root|state|run|daemon-0\.log)$/.test(name));
    return [...complaints, ...strange.map((name) => `${name} is outside of the root`)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    await this.place[Symbol.asyncDispose]();
  }
}

function complaintOfLine(line: string): string[] {
  const shown = line.slice(0, 300);
  if (line.length > LONGEST_LINE) return [`a line of ${line.length} characters: ${shown}`];
  try {
    const entry = JSON.parse(line) as { level: unknown };
    return LEVELS.has(entry.level) && entry.level !== 'error' ? [] : [`logged: ${shown}`];
  } catch {
    return [`a line that is no JSON: ${shown}`];
  }
}
