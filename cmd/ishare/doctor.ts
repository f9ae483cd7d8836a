import path from 'node:path';
import { Command } from 'commander';
import { print, printJson } from './output';
import { CommandError } from './command-error';
import { askForStatus } from './doctor/daemon-answer';
import { examine } from './doctor/examination';
import { adminAddressOf, placeOf, type Place, type PlaceOptions } from './doctor/place';
import {
  describeCount,
  describeFindings,
  describeRest,
  describeTreatments,
  findingJson,
  problemsAmong,
} from './doctor/report';
import { treat, type Treatment } from './doctor/treatment';
import { exitingWith } from './image/exit-code';
import { asCommandError } from './image/expected-failure';

interface DoctorOptions extends PlaceOptions {
  readonly repair?: true;
  readonly json?: true;
}

/** It could not look at all. */
const CANNOT_LOOK = 2;

export function doctorCommand(): Command {
  const absolute = (given: string): string => path.resolve(given);
  return new Command('doctor')
    .description('compare files, database, mounts and processes, and repair what is wrong')
    .option('--repair', 'do what can be done without harm to containers')
    .option('--config <file>', 'configuration file of the daemon', absolute)
    .option('--root <dir>', 'its root directory', absolute)
    .option('--state <dir>', 'its state directory', absolute)
    .option('--admin-address <socket>', 'its admin socket', absolute)
    .option('--json', 'print JSON for programs')
    .showHelpAfterError()
    .addHelpText('after', HELP)
    .action((options: DoctorOptions) => exitingWith(CANNOT_LOOK, () => doctor(options)));
}

const HELP = `
It works with the daemon running and without it, and touches no mounted image, so it never waits for a daemon that hangs.

Exit codes: 0 nothing found, or nothing left; 1 problems; 2 it could not look.`;

async function doctor(options: DoctorOptions): Promise<number> {
  try {
    if (process.geteuid?.() !== 0) throw new CommandError('doctor needs root');
    const { status } = await askForStatus(await adminAddressOf(options));
    const place = await placeOf(options, status);
    return options.repair ? await lookAndRepair(place, options) : await lookOnly(place, options);
  } catch (error) {
    throw asCommandError(error);
  }
}

async function lookOnly(place: Place, { json }: DoctorOptions): Promise<number> {
  const { findings, daemonRuns } = await examine(place);
  if (json) printJson({ ...placeJson(place, daemonRuns), findings: findings.map(findingJson) });
  else print(`${describeFindings(findings)}\n\n${describeCount(findings)}`);
  return problemsAmong(findings).length === 0 ? 0 : 1;
}

async function lookAndRepair(place: Place, { json }: DoctorOptions): Promise<number> {
  const before = await examine(place);
  if (!json) print(describeFindings(before.findings));
  const treatments = await treat(place, before.findings, before.daemonRuns);
  const after = treatments.length === 0 ? before : await examine(place);
  if (json) {
    printJson({
      ...placeJson(place, after.daemonRuns),
      findings: after.findings.map(findingJson),
      repairs: treatments.map(treatmentJson),
    });
  } else {
    const repairs = treatments.length === 0 ? [] : [describeTreatments(treatments), ''];
    print(['', ...repairs, describeRest(treatments, after.findings)].join('\n'));
  }
  return problemsAmong(after.findings).length === 0 ? 0 : 1;
}

function placeJson({ paths, state }: Place, daemonRuns: boolean): Record<string, unknown> {
  return { root: paths.root, state, daemon_runs: daemonRuns };
}

function treatmentJson({ finding: { what, where }, outcome, reason }: Treatment): Record<string, unknown> {
  return { what, where, outcome, reason };
}
