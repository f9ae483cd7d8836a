import { readFile } from 'node:fs/promises';

/** One line of a daemon's log. */
export type LogEntry = Readonly<Record<string, unknown>> & {
  readonly level: string;
  readonly message: string;
};

/** The lines of a daemon's log file that have something of an image whose name ends so. */
export async function logAbout(logFile: string, image: string): Promise<LogEntry[]> {
  const lines = (await readFile(logFile, 'utf8')).split('\n').filter((line) => line.startsWith('{'));
  const entries = lines.map((line) => JSON.parse(line) as LogEntry);
  return entries.filter((entry) => String(entry['image']).endsWith(`/${image}`));
}
