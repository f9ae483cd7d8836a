import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../scripts/process/command';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import type { Result } from '../result/result';
import type { Tools } from '../tool/tools';
import { barChart } from './bar-chart';
import { comparisons } from './comparison';
import { element } from './markup';
import { STYLE } from './style';

const RENDER_LIMIT = 60_000;
/** Pixels; the charts are 720 units wide. */
const WIDTH = 760;
const SCALE = 2;

/** The charts that the README shows. */
const PICTURES = [
  { name: 'memory', bench: 'memory-reading', metric: 'page cache' },
  { name: 'memory-sum', bench: 'memory-reading', metric: 'sum' },
  { name: 'speed', bench: 'speed-files', metric: 'time' },
] as const;

/** Chromium was not fetched. */
export class NoBrowserError extends Error {
  override readonly name = 'NoBrowserError';
}

/** Draws the main charts as `NAME-light.png` and `NAME-dark.png` with a headless Chromium, and returns the files. */
export async function drawPictures(result: Result, tools: Tools, directory: string): Promise<string[]> {
  const tree = tools.tree('chromium');
  const program = join(tree, 'usr/lib/chromium/chromium');
  if (!existsSync(program)) {
    throw new NoBrowserError('chromium was not fetched (scripts/install-bench-tools.sh)');
  }
  await mkdir(directory, { recursive: true });
  await using work = await TemporaryDirectory.create('bench-pictures');
  const fonts = join(work.path, 'fonts.conf');
  await writeFile(
    fonts,
    `<fontconfig><dir>${tree}/usr/share/fonts</dir><cachedir>${work.path}/cache</cachedir></fontconfig>`,
  );
  const files: string[] = [];
  const tables = comparisons(result);
  for (const { name, bench, metric } of PICTURES) {
    const comparison = tables.find((found) => found.bench === bench && found.metric === metric);
    if (comparison === undefined) continue;
    const chart = barChart(comparison, comparison.rows.slice(0, 3));
    const height = Number(/viewBox="0 0 \d+ (\d+)"/.exec(chart)?.[1] ?? 400) + 40;
    for (const scheme of ['light', 'dark'] as const) {
      const page = join(work.path, `${name}-${scheme}.html`);
      await writeFile(page, pageOf(chart, scheme));
      const file = join(directory, `${name}-${scheme}.png`);
      const words = [
        ...['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--disable-dev-shm-usage'],
        `--user-data-dir=${work.path}/profile`,
        `--window-size=${WIDTH},${height}`,
        `--force-device-scale-factor=${SCALE}`,
        `--screenshot=${file}`,
        `file://${page}`,
      ];
      await runCommand(program, words, {
        timeLimit: RENDER_LIMIT,
        // Its packages are unpacked beside the system, of the system's own suite.
        environment: { LD_LIBRARY_PATH: tools.libraries('chromium').join(':'), FONTCONFIG_FILE: fonts },
      });
      files.push(file);
    }
  }
  return files;
}

/** The colours of one scheme, whatever the browser would choose. */
function pageOf(chart: string, scheme: 'light' | 'dark'): string {
  const style =
    scheme === 'dark'
      ? STYLE.replace('@media (prefers-color-scheme: dark)', '@media all')
      : STYLE.replace('@media (prefers-color-scheme: dark)', '@media not all');
  const head = element('meta', { charset: 'utf-8' }) + element('style', {}, style);
  return `<!doctype html><html><head>${head}</head><body style="margin: 20px; max-width: none">${chart}</body></html>`;
}
