// Parses the .proto files of services once and for all: proto/load.ts reads the outcome.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import protobuf from 'protobufjs';

mkdirSync('dist/proto', { recursive: true });
for (const file of readdirSync('proto')) {
  if (!file.endsWith('.proto')) continue;
  const root = new protobuf.Root();
  root.resolvePath = (_from, imported) => (imported.startsWith('proto/') ? imported : `proto/${imported}`);
  root.loadSync(file, { keepCase: true });
  writeFileSync(`dist/proto/${file.replace(/\.proto$/, '.json')}`, JSON.stringify(root.toJSON()));
}
