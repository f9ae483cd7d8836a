// Makes one file below dist/bundle of each command, and of each file that runs as a thread or process of its own: loading some
// hundred modules one by one is most of what a start takes. Nothing is minified, for stack traces.
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const DIRECTORY = 'dist/bundle';
const COMMANDS = ['ishare-snapshotter', 'ishare'];

const entries = ['cmd', 'erofs', 'ishare', 'snapshotter'].flatMap((room) =>
  readdirSync(room, { recursive: true })
    .filter((file) => file.endsWith('-entry.ts'))
    .map((file) => path.join(room, file)),
);
rmSync(DIRECTORY, { recursive: true, force: true });
await build({
  entryPoints: [...COMMANDS.map((command) => `cmd/${command}.ts`), ...entries],
  // All in one directory, where each finds the others.
  entryNames: '[name]',
  outdir: DIRECTORY,
  bundle: true,
  platform: 'node',
  target: 'node20',
  // Modules that can be left out where nothing uses them, before those that cannot.
  mainFields: ['module', 'main'],
  // They look for their native libraries from where they lie.
  external: ['better-sqlite3', 'koffi', 'xxhash-addon'],
  logLevel: 'warning',
});
// proto/load.ts looks for them beside itself.
for (const file of readdirSync('dist/proto'))
  if (file.endsWith('.json')) cpSync(`dist/proto/${file}`, `${DIRECTORY}/${file}`);
for (const file of readdirSync(DIRECTORY).filter((name) => name.endsWith('.js'))) {
  const bundle = path.join(DIRECTORY, file);
  const text = readFileSync(bundle, 'utf8');
  // Two classes of one name: one has another name now, and errors are known by it.
  const renamed = /^(?:var \w+ = )?class \w*Error\d+\b/m.exec(text);
  if (renamed !== null) throw new Error(`${file}: ${renamed[0]}: its name is taken`);
  // Only comments have other characters than ASCII, and a text that has any takes twice the memory for as long as it runs.
  writeFileSync(bundle, text.replace(/\P{ASCII}/gu, '?'));
}
for (const command of COMMANDS) execFileSync(process.execPath, ['scripts/build/store-code.cjs', command]);
