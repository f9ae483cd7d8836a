import { colors } from '../../colors';
import { visibleText } from '../../visible-text';
import { AREAS, type Finding, type Level } from './finding';
import type { Treatment } from './treatment';

const MARKS: Readonly<Record<Level, string>> = {
  ok: colors.green('ok     '),
  note: colors.yellow('note   '),
  problem: colors.red('problem'),
};
const INDENT = ' '.repeat(11);

/** Findings by area, each with why it matters and what is to be done. */
export function describeFindings(findings: readonly Finding[]): string {
  return AREAS.flatMap((area) => {
    const found = findings.filter((finding) => finding.area === area);
    return found.length === 0 ? [] : [colors.bold(area), ...found.map(describe)];
  }).join('\n');
}

function describe({ level, what, where, why, remedy, repair }: Finding): string {
  const place = where === '' ? '' : colors.dim(` (${visibleText(where)})`);
  const details = [why, remedy && `${repair === undefined ? 'to do' : 'repair'}: ${remedy}`];
  return [
    `  ${MARKS[level]}  ${visibleText(what)}${place}`,
    ...details.filter((line) => line !== '').map((line) => `${INDENT}${visibleText(line)}`),
  ].join('\n');
}

/** What became of each problem. */
export function describeTreatments(treatments: readonly Treatment[]): string {
  return [colors.bold('repairs'), ...treatments.map(describeTreatment)].join('\n');
}

function describeTreatment({ finding: { what, where }, outcome, reason }: Treatment): string {
  const mark = outcome === 'repaired' ? colors.green('repaired  ') : colors.yellow(outcome.padEnd(10));
  const why = reason === '' ? '' : `: ${visibleText(reason)}`;
  return `  ${mark}  ${visibleText(what)} (${visibleText(where)})${why}`;
}

/** The last line of a look. */
export function describeCount(findings: readonly Finding[]): string {
  const problems = problemsAmong(findings);
  if (problems.length === 0) return 'Nothing found.';
  const repairable = problems.filter(({ repair }) => repair !== undefined).length;
  const rest =
    repairable === 0
      ? 'none of which can be repaired from here'
      : `${repairable} of them can be repaired: ishare doctor --repair`;
  return `${count(problems.length)}, ${rest}`;
}

/** The last line of repairs; `findings` are those of a look afterwards. */
export function describeRest(treatments: readonly Treatment[], findings: readonly Finding[]): string {
  const left = problemsAmong(findings).length;
  const repaired = treatments.filter(({ outcome }) => outcome === 'repaired').length;
  if (left === 0)
    return treatments.length === 0 ? 'Nothing found.' : `Nothing left: ${count(repaired)} repaired.`;
  return `${count(left)} left, ${repaired} repaired.`;
}

export function problemsAmong(findings: readonly Finding[]): Finding[] {
  return findings.filter(({ level }) => level === 'problem');
}

function count(problems: number): string {
  return problems === 1 ? '1 problem' : `${problems} problems`;
}

/** A finding for programs. */
export function findingJson({ repair, ...finding }: Finding): Record<string, unknown> {
  return { ...finding, repairable: repair !== undefined };
}
