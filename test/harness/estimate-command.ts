import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { ISHARE, type CommandEnd } from './image-command';

const TIME_LIMIT = 30_000;

/** What `ishare estimate --json` prints, as far as tests look at it. */
export interface PrintedEstimate {
  readonly images: readonly PrintedImage[];
  readonly files: number;
  readonly contents: number;
  readonly page_cache_alone: number;
  readonly page_cache_shared: number;
  readonly page_cache_saved: number;
  readonly saved_percent: number;
  readonly common_layers: number;
  readonly page_cache_of_common_layers: number;
  readonly repeated_contents: number;
  readonly top: readonly {
    readonly digest: string;
    readonly size: number;
    readonly page_cache_saved: number;
    readonly copies: readonly (readonly { readonly image: number; readonly path: string }[])[];
  }[];
}

export interface PrintedImage {
  readonly image: string;
  readonly name: string | null;
  readonly platform: string | null;
  readonly layers: number;
  readonly files: number;
  readonly page_cache: number;
  readonly files_in_others: number;
  readonly page_cache_in_others: number;
  readonly fingerprints_missing?: number;
  readonly fingerprints_wrong?: number;
}

/** `ishare estimate` with these words, as a user runs it; `input` is a file for its standard input, through a pipe. */
export async function estimateCommand(words: readonly string[], input?: string): Promise<CommandEnd> {
  const child = spawn(ISHARE, ['estimate', ...words], { timeout: TIME_LIMIT, killSignal: 'SIGKILL' });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const fed = input === undefined ? undefined : pipeline(createReadStream(input), child.stdin);
  // A command that has seen enough closes its end.
  fed?.catch(() => undefined);
  if (input === undefined) child.stdin.end();
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode: exitCode ?? undefined, stdout, stderr };
}

/** The estimate of some images. Throws with what the command says where it does not succeed. */
export async function printedEstimate(...words: readonly string[]): Promise<PrintedEstimate> {
  const { exitCode, stdout, stderr } = await estimateCommand(['--json', ...words]);
  if (exitCode !== 0) throw new Error(`ishare estimate ended with ${exitCode ?? 'a signal'}: ${stderr}`);
  return JSON.parse(stdout) as PrintedEstimate;
}
