import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync } from 'node:fs';
import { appendFile, readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import type { ExplainedFile, Explanation } from '../../proto/admin-messages';
import { IshareCommand } from '../harness/ishare-command';
import { mountSnapshot, type Mounted } from '../harness/mounting';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { DaemonPlace } from './daemon-place';
import { commitFiles } from './layers';

const SHARED = 'shared '.repeat(2000);
const ALONE = 'only here';

let place: DaemonPlace;
let ishare: IshareCommand;
let client: SnapshotsConnection;
let container: Mounted;
const mounted: Mounted[] = [];

beforeAll(async () => {
  place = await DaemonPlace.create('[domains.namespaces]\nred = "red"\nnone = ""\n');
  await place.start();
  ishare = new IshareCommand(place.flags['admin-address']);
  client = new SnapshotsConnection(place.flags.address);
  await commitFiles(client, 'default/9/base', {
    shared: SHARED,
    alone: ALONE,
    empty: '',
    gone: 'x',
    'to change': 'x',
  });
  await commitFiles(client, 'neighbour', { 'another name': SHARED });
  container = await startContainer('red/1/web', 'default/9/base');
  mkdirSync(join(container.path, 'bin'));
  symlinkSync('/shared', join(container.path, 'bin', 'link'));
  symlinkSync('nowhere', join(container.path, 'dangling'));
  await rm(join(container.path, 'gone'));
  await appendFile(join(container.path, 'to change'), 'y');
  await startContainer('red/2/other', 'neighbour');
  await startContainer('none/3/apart', 'default/9/base');
  for (const { path } of mounted)
    await readFile(join(path, path.endsWith('other') ? 'another name' : 'shared'));
});

afterAll(async () => {
  for (const rootfs of mounted) rootfs[Symbol.dispose]();
  client[Symbol.dispose]();
  await place[Symbol.asyncDispose]();
});

async function startContainer(key: string, layer: string): Promise<Mounted> {
  const rootfs = await mountSnapshot(await client.prepare(key, layer), place.in(key.replaceAll('/', '-')));
  mounted.push(rootfs);
  return rootfs;
}

function explain(snapshot: string, path: string): Promise<Explanation & { file: ExplainedFile }> {
  return ishare.json('explain', snapshot, path);
}

test('a file that another image has too is shared, and everything about it is told', async () => {
  const explanation = await explain('web', '/bin/link');
  const fingerprint = `sha256:${createHash('sha256').update(SHARED).digest('hex')}`;
  expect(explanation).toMatchObject({
    snapshot: 'red/1/web',
    kind: 'active',
    domain: 'red',
    rule: 'domains.namespaces.red',
    layers: [{ image: 'default/9/base', state: 'computed', reason: '' }],
    verdict: 'Shared: 1 other image of the domain "red" uses the same pages.',
    file: {
      path: '/shared',
      type: 'regular file',
      size: SHARED.length,
      image: 'default/9/base',
      fingerprint,
      verification: 'computed',
    },
  });
  const [served, ...others] = explanation.file.served;
  expect(others).toEqual([]);
  expect(served?.inode?.inode).toMatchObject({ fingerprint, domain: 'red', images: 2 });
  expect(served?.inode?.holders.map(({ image }) => image).sort()).toEqual(['default/9/base', 'neighbour']);
  const text = await ishare.text('explain', 'red/1/web', 'shared');
  expect(text).toContain(fingerprint);
  expect(text).toContain('neighbour');
  expect(text).toMatch(/\nShared: 1 other image .*\n$/);
});

test.each([
  [
    'web',
    'alone',
    /^Ready to be shared: no other image that is attached in the domain "red" holds this content/,
  ],
  ['web', 'empty', /^Not shared: empty files have no pages\.$/],
  ['web', 'to change', /^Not shared: it was made or changed in the container, and is its own file\.$/],
  ['web', '/', /^Not shared: only regular files are shared, and this is a directory\.$/],
  ['apart', 'shared', /^Not shared: the container is in no domain \(rule: domains\.namespaces\.none\)\.$/],
  ['neighbour', 'another name', /^Shared: 1 other image of the domain "red" uses the same pages\.$/],
  ['base', 'shared', /^It depends on the domain of the container\.$/],
])('explains %s %s', async (snapshot, path, verdict) => {
  expect((await explain(snapshot, path)).verdict).toMatch(verdict);
});

test.each([
  ['a deleted file', ['web', 'gone'], '"gone": no such file or directory'],
  ['a link to nowhere', ['web', 'dangling'], '"dangling": no such file or directory'],
  ['a path through a file', ['web', 'shared/inside'], '"shared/inside": not a directory'],
  [
    'a snapshot that there is not',
    ['nobody'],
    'there is no snapshot "nobody" (ctr snapshots --snapshotter ishare ls, ishare images ls)',
  ],
  ['a very long name', ['x'.repeat(5000)], '(5000 characters) cannot be a snapshot'],
])('%s is an error that says so', async (_what, words, reason) => {
  const { exitCode, stderr } = await ishare.run('explain', ...words);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(reason);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
});

test('a name that several snapshots end with must be given whole', async () => {
  await client.prepare('red/7/web', 'neighbour');
  const { stderr } = await ishare.run('explain', 'web');
  expect(stderr).toBe(
    'ishare: "web" are 2 snapshots: give the whole name, such as "red/1/web", "red/7/web"\n',
  );
  expect(await ishare.json('explain', 'red/7/web')).toMatchObject({ domain: 'red', file: null });
  await client.remove('red/7/web');
});

test('an image that cannot be read is told, and the daemon goes on', async () => {
  await commitFiles(client, 'cut off', { file: 'text' });
  const { path } = (await ishare.images()).find(({ name }) => name === 'cut off')!;
  await truncate(path, 100);
  const { exitCode, stderr } = await ishare.run('explain', 'cut off', 'file');
  expect(exitCode).toBe(1);
  expect(stderr).toContain(path);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(await ishare.json('explain', 'cut off')).toMatchObject({ kind: 'committed', file: null });
});

test('a quarantined image says why its files are not shared', async () => {
  await commitFiles(client, 'forged', { file: SHARED });
  // As the verifier writes it; read when the image is attached.
  const database = new SqliteDatabase(place.in('root', 'metadata.db'));
  const quarantine = "UPDATE snapshots SET trust = 'quarantined', trust_reason = ? WHERE key = ?";
  database.prepare(quarantine).run('/file claims another content', 'forged');
  database.close();
  await startContainer('red/8/late', 'forged');
  expect((await explain('late', 'file')).verdict).toBe(
    'Not shared: its image is quarantined because /file claims another content.',
  );
  const listed = await ishare.text('images', 'ls');
  expect(listed).toMatch(/^forged +\S+ \S+ +\d+ +quarantined /m);
  expect(listed).toContain('\nforged is quarantined: /file claims another content\n');
});
