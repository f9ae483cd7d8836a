import { errorCode } from '../../../linux/errno';

/** Nobody reads the output any more, or it cannot be written. Whoever writes stops, and need not tell. */
export class OutputClosedError extends Error {
  override readonly name = 'OutputClosedError';

  /** `quiet`: the reader has seen enough (`| head`); else the output is broken, which the command's listener tells. */
  constructor(
    readonly quiet: boolean,
    options?: ErrorOptions,
  ) {
    super('the output is closed', options);
  }
}

/** Writes, and waits until that is done, so that output which nobody takes does not pile up. */
export function writeOutput(chunk: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(chunk, (error) => {
      if (error) reject(new OutputClosedError(isReaderGone(error), { cause: error }));
      else resolve();
    });
  });
}

function isReaderGone(error: Error): boolean {
  const code = errorCode(error);
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED';
}

/** Collects lines into large writes. */
export class OutputLines {
  static readonly #LIMIT = 64 * 1024;
  #pending: Buffer[] = [];
  #bytes = 0;

  async add(line: string | Buffer): Promise<void> {
    const bytes = typeof line === 'string' ? Buffer.from(`${line}\n`) : Buffer.concat([line, NEWLINE]);
    this.#pending.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= OutputLines.#LIMIT) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#bytes === 0) return;
    const chunk = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#bytes = 0;
    await writeOutput(chunk);
  }
}

const NEWLINE = Buffer.from('\n');

/** A JSON array that is printed element by element, however long. */
export class JsonArrayOutput {
  readonly #lines = new OutputLines();
  #last: string | undefined;

  async add(element: unknown): Promise<void> {
    await this.#lines.add(this.#last === undefined ? '[' : `${this.#last},`);
    this.#last = JSON.stringify(element);
  }

  async end(): Promise<void> {
    await this.#lines.add(this.#last === undefined ? '[]' : `${this.#last}\n]`);
    await this.#lines.flush();
  }
}
