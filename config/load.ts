import { readFile } from 'node:fs/promises';
import { parse, TomlError } from 'smol-toml';
import type { z } from 'zod';
import { lineOfKey } from './key-line';
import { configSchema, type Config } from './schema';

export const DEFAULT_CONFIG_FILE = '/etc/ishare-snapshotter/config.toml';

/** The configuration cannot be used. The message names the file, the line and the key. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Values that were given on the command line; they win over the file. */
export type ConfigOverrides = Partial<
  Pick<Config, 'root' | 'state' | 'address' | 'admin_address' | 'log_level'>
>;

/**
 * Reads the configuration. Without `file` the default file is read where it exists; a file that was asked for must
 * exist.
 */
export async function loadConfig(file: string | undefined, overrides: ConfigOverrides): Promise<Config> {
  const name = file ?? DEFAULT_CONFIG_FILE;
  const text = await readText(name, file === undefined);
  const values = parseToml(name, text);
  const lineOf = (path: readonly PropertyKey[]): number | undefined =>
    path[0] !== undefined && Object.hasOwn(overrides, path[0]) ? undefined : lineOfKey(text, path);
  return check(name, { ...values, ...overrides }, lineOf);
}

async function readText(name: string, mayBeMissing: boolean): Promise<string> {
  try {
    // TOML is UTF-8; bytes that are not would otherwise turn into other characters without a word.
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(name));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'ENOENT' && mayBeMissing) return '';
    const reason = readFailures[code] ?? `it cannot be read (${code})`;
    throw new ConfigError(`configuration ${name}: ${reason}`, { cause: error });
  }
}

const readFailures: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8 text',
};

function parseToml(name: string, text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = ''] = error.message.split('\n');
    throw new ConfigError(`configuration ${name}, line ${error.line}, column ${error.column}: ${reason}`, {
      cause: error,
    });
  }
}

/** Where in the file a key is; undefined where it is not from there. */
type LineOf = (path: readonly PropertyKey[]) => number | undefined;

function check(name: string, values: unknown, lineOf: LineOf): Config {
  const result = configSchema.safeParse(values);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => describe(issue, lineOf));
  throw new ConfigError(`configuration ${name}: ${problems.join('; ')}`, { cause: result.error });
}

function describe({ path, message, ...issue }: z.core.$ZodIssue, lineOf: LineOf): string {
  const place = (key: readonly PropertyKey[]): string => {
    // A key that is missing is looked for where it should be.
    const line = lineOf(key) ?? lineOf(key.slice(0, -1));
    return line === undefined ? tomlKey(key) : `${tomlKey(key)} (line ${line})`;
  };
  switch (issue.code) {
    case 'unrecognized_keys':
      return `unknown key ${issue.keys.map((key) => place([...path, key])).join(', ')}`;
    case 'invalid_key':
      return `key ${place(path)}: is no name of a containerd namespace`;
    default:
      return `key ${place(path)}: ${message}`;
  }
}

/** A key as one would write it in the file: `domains.namespaces."k8s.io"`. */
function tomlKey(path: readonly PropertyKey[]): string {
  return path
    .map(String)
    .map((part) => (/^[A-Za-z0-9_-]+$/.test(part) ? part : JSON.stringify(part)))
    .join('.');
}
