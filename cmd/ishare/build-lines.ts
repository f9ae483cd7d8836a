import type { BuildState } from '../../proto/admin-messages';
import { visibleText } from '../visible-text';
import { formatBytes } from './output';

/** A digest is told from others by so many of its digits. */
const SHORT_DIGEST = /(sha\d+:[0-9a-f]{12})[0-9a-f]+/g;

/** A line for each layer whose image is being made: how far it is, and how fast. At most so many, and one for the others. */
export function buildLines(builds: readonly BuildState[], most: number): string[] {
  const running = builds.filter(({ running }) => running);
  const lines = running.slice(0, most).map(buildLine);
  const others = running.length - lines.length;
  return others > 0 ? [...lines, `and ${others} more`] : lines;
}

function buildLine({ name, stage, bytes, total_bytes: total, rate }: BuildState): string {
  const label = visibleText(name.replace(SHORT_DIGEST, '$1'));
  if (stage === '') return `${label}: begins`;
  const percent = total > 0 ? ` (${Math.floor((Math.min(bytes, total) / total) * 100)} %)` : '';
  const all = total > 0 ? ` of ${formatBytes(total)}` : '';
  const verb = stage === 'reading' ? 'read' : 'written';
  return `${label}: ${formatBytes(bytes)}${all}${percent} ${verb}, ${formatBytes(Math.round(rate))}/s`;
}
