import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { OverviewRequest, OverviewResponse } from '../../proto/admin-messages';
import { CommandError } from './command-error';
import { print, printJson } from './output';
import { askDaemon, wholeNumber, withDaemonOptions, type DaemonOptions } from './shared-options';
import { frameText, HEAD_LINES } from './top/frame';
import { Screen } from './top/screen';
import { inodeOrderOf, SORT_KEYS, VIEW_NAMES, type SortKey, type ViewName } from './top/view';

interface TopOptions extends DaemonOptions {
  readonly delay: number;
  readonly count?: number;
  readonly batch?: true;
  readonly sort: SortKey;
  readonly by: ViewName;
}

/** Inodes that a picture without a screen shows. */
const BATCH_ROWS = 100;

export function topCommand(): Command {
  return withDaemonOptions(new Command('top').description('live: what is cached and saved, and by whom'))
    .option('-d, --delay <seconds>', 'between two pictures', delay, 2)
    .option('-n, --count <n>', 'end after so many pictures', wholeNumber)
    .option('-b, --batch', 'one picture below the other, for pipes and files')
    .addOption(new Option('--sort <key>', 'what comes first').choices(SORT_KEYS).default('saved'))
    .addOption(new Option('--by <view>', 'what is listed').choices(VIEW_NAMES).default('containers'))
    .addHelpText('after', HELP)
    .action(async (options: TopOptions) => {
      const live = options.batch !== true && options.json !== true && process.stdout.isTTY;
      if (live) process.exitCode = await runLive(options);
      else await runBatch(options);
    });
}

const HELP = `
Keys: q ends; d lists domains, i images, c containers, f the shared inodes (files); s sorts by saved bytes, p by cached
ones (pages), n by name; any other key asks anew.

Where standard output is no terminal, one picture is printed, unless --batch or --count say otherwise.`;

function delay(text: string): number {
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && seconds >= 0.1 && seconds <= 86400) return seconds;
  throw new InvalidArgumentError('It is no number of seconds from 0.1 to 86400.');
}

function ask(options: DaemonOptions, request: OverviewRequest): Promise<OverviewResponse> {
  return askDaemon(options, (daemon) =>
    daemon.call<OverviewResponse>((client, ...rest) => client.Overview(request, ...rest)),
  );
}

/** @param rows so many inodes are needed, where inodes are shown; else none. */
function requestFor(view: ViewName, sort: SortKey, rows: number): OverviewRequest {
  // 0 would be all of them.
  return { order: inodeOrderOf[sort], limit: view === 'inodes' ? rows : 1 };
}

async function runBatch(options: TopOptions): Promise<void> {
  const { by: view, sort, json, batch } = options;
  const count = options.count ?? (batch === true ? Infinity : 1);
  let previous: OverviewResponse | undefined;
  for (let shown = 1; shown <= count; shown += 1) {
    const overview = await ask(options, requestFor(view, sort, BATCH_ROWS));
    if (json === true) printJson(jsonOf(overview, view));
    else print(frameText({ overview, previous, problem: undefined, view, sort, rows: Infinity }));
    previous = overview;
    if (shown < count) {
      if (json !== true) print('');
      await sleep(options.delay * 1000);
    }
  }
}

function jsonOf(overview: OverviewResponse, view: ViewName): Partial<OverviewResponse> {
  if (view === 'inodes') return overview;
  const { inodes: _first, ...others } = overview;
  return others;
}

/** Shows pictures until somebody asks for the end, and gives the exit code. */
async function runLive(options: TopOptions): Promise<number> {
  const count = options.count ?? Infinity;
  // A daemon that is not there from the start is an error as for any other command.
  let overview: OverviewResponse | undefined = await ask(options, requestFor(options.by, options.sort, 1));
  using screen = new Screen();
  let previous: OverviewResponse | undefined;
  let problem: string | undefined;
  let view = options.by;
  let sort = options.sort;
  for (let shown = 0; ;) {
    const rows = Math.max(1, screen.rows - HEAD_LINES);
    const answer = await Promise.race([screen.ended, asked(options, requestFor(view, sort, rows))]);
    if (typeof answer === 'number') return answer;
    problem = answer.problem;
    if (answer.overview !== undefined) [previous, overview] = [overview, answer.overview];
    screen.draw(frameText({ overview, previous, problem, view, sort, rows }));
    shown += 1;
    if (shown >= count) return 0;
    const event = await Promise.race([screen.ended, screen.next(options.delay * 1000)]);
    if (typeof event === 'number') return event;
    if (event === undefined) continue;
    shown -= 1;
    if (event.kind !== 'key') continue;
    view = viewKeys[event.key] ?? view;
    sort = sortKeys[event.key] ?? sort;
  }
}

interface Answer {
  readonly overview: OverviewResponse | undefined;
  readonly problem: string | undefined;
}

/** A daemon that does not answer may come back: its absence is told, and does not end anything. */
async function asked(options: DaemonOptions, request: OverviewRequest): Promise<Answer> {
  try {
    return { overview: await ask(options, request), problem: undefined };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { overview: undefined, problem: `${error.message} Trying again.` };
  }
}

const viewKeys: Readonly<Partial<Record<string, ViewName>>> = {
  c: 'containers',
  i: 'images',
  d: 'domains',
  f: 'inodes',
};

const sortKeys: Readonly<Partial<Record<string, SortKey>>> = { s: 'saved', p: 'cached', n: 'name' };
