// tsc emits JavaScript only; the .proto files travel beside it.
import { cpSync, mkdirSync, readdirSync } from 'node:fs';

mkdirSync('dist/proto', { recursive: true });
for (const file of readdirSync('proto')) {
  if (file.endsWith('.proto')) cpSync(`proto/${file}`, `dist/proto/${file}`);
}
