import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'smol-toml';
import { loadConfig } from './load';
import { configSchema } from './schema';

/** From dist/config to the checkout. */
const EXAMPLE = path.join(__dirname, '../../config/example.toml');

test('the example loads and says the defaults', async () => {
  expect(await loadConfig(EXAMPLE, {})).toEqual(configSchema.parse({}));
});

test('the example shows every key', async () => {
  expect(keysOf(parse(await readFile(EXAMPLE, 'utf8')))).toEqual(keysOf(configSchema.parse({})));
});

function keysOf(value: unknown, prefix = ''): string[] {
  if (typeof value !== 'object' || value === null) return [prefix];
  const below = Object.entries(value).flatMap(([key, part]) => keysOf(part, `${prefix}.${key}`));
  return (below.length === 0 ? [prefix] : below).sort();
}
