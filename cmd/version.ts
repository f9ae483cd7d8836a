import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';

/** Version of this package, from its package.json two levels above the compiled file. */
export const version = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(path.join(__dirname, '../../package.json'), 'utf8'))).version;
