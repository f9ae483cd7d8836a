import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger, transports } from 'winston';
import { Writable } from 'node:stream';
import type { ImageTrust, TrustNews } from '../ishare/image-trust';
import {
  digestOfBytes,
  fingerprintOf,
  forge,
  makeReadyMade,
} from '../ishare/verification/testing/ready-made';
import { Kind } from '../proto/snapshots';
import { LayerVerification } from './layer-verification';
import { Paths } from './paths';
import { NO_DOMAIN } from './store/domain-table';
import { MetadataStore } from './store/metadata-store';
import type { SnapshotId } from './store/snapshot-table';

interface Entry {
  readonly level: string;
  readonly image: string;
}

let root: string;
let paths: Paths;
let store: MetadataStore;
let log: Entry[];
let news: TrustNews[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'layer-verification-'));
  paths = new Paths(root);
  await mkdir(paths.images);
  store = MetadataStore.open(paths.database);
  log = [];
  news = [];
});

afterEach(async () => {
  store[Symbol.dispose]();
  await rm(root, { recursive: true });
});

function start(learn: (told: TrustNews) => Promise<void> = () => Promise.resolve()): LayerVerification {
  const stream = new Writable({
    objectMode: true,
    write: (entry: Entry, _encoding, done) => {
      log.push(entry);
      done();
    },
  });
  // winston types its transports as interfaces beside the class that it demands here.
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
  const logger = createLogger({ transports: [new transports.Stream({ stream })] });
  return new LayerVerification({
    store,
    paths,
    logger,
    learn: (told) => {
      news.push(told);
      return learn(told);
    },
  });
}

/** A row for a committed layer; its image is for the test to make. */
function addLayer(name: string, trust: ImageTrust): SnapshotId {
  return store.transaction(() => {
    const { snapshots } = store;
    const id = snapshots.reserveId();
    const labels = {};
    snapshots.insert({
      id,
      key: `${name}-key`,
      parentId: undefined,
      kind: Kind.ACTIVE,
      domainId: NO_DOMAIN,
      domainRule: '',
      labels,
      nowNs: 1n,
    });
    const usage = { bytes: 8192, inodes: 2 };
    snapshots.commit(id, {
      name,
      parentId: undefined,
      labels,
      usage,
      nidLimit: 100,
      trust,
      digestsRoot: undefined,
      nowNs: 1n,
    });
    return id;
  });
}

async function eventually(holds: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error('it does not come to that');
    await sleep(5);
  }
}

test('at the start all that is unverified is, and nothing else', async () => {
  const ids = (['computed', 'unverified', 'verified', 'quarantined', 'unverified'] as const).map(
    (trust, index) => addLayer(`${trust}-${index}`, trust),
  );
  for (const id of ids) await makeReadyMade(paths.image(id), { file: `content of ${id}` });
  await using verification = start();
  verification.resume();
  await eventually(() => log.length === 2);
  expect(log).toMatchObject([
    { level: 'info', image: 'unverified-1' },
    { level: 'info', image: 'unverified-4' },
  ]);
  expect(ids.map((id) => store.snapshots.get(id)?.trust)).toEqual([
    'computed',
    'verified',
    'verified',
    'quarantined',
    'verified',
  ]);
  const [, one] = ids;
  expect(news.filter(({ imagePath }) => imagePath === paths.image(one!))).toEqual([
    {
      imagePath: paths.image(one!),
      trust: 'unverified',
      verified: [expect.objectContaining({ fingerprint: digestOfBytes(`content of ${one}`) })],
    },
    { imagePath: paths.image(one!), trust: 'verified', verified: [] },
  ]);
  expect(verification.verifiedFiles(one!)).toEqual([]);
});

test('a layer that was built here is not verified', async () => {
  const id = addLayer('built', 'computed');
  await using verification = start();
  verification.enqueue(id);
  expect(verification.state).toEqual({ current: undefined, waiting: [] });
});

test('a forged image is quarantined, with the reason stored and logged once', async () => {
  const id = addLayer('forged', 'unverified');
  await makeReadyMade(paths.image(id), { file: 'EVIL' });
  await forge(paths.image(id), 'file', fingerprintOf('good'));
  await using verification = start();
  verification.enqueue(id);
  await eventually(() => log.length > 0);
  const [claimed, actual] = [digestOfBytes('good'), digestOfBytes('EVIL')];
  expect(log).toMatchObject([{ level: 'error', image: 'forged', file: '/file', claimed, actual }]);
  expect(store.snapshots.get(id)).toMatchObject({
    trust: 'quarantined',
    trustReason: `/file claims sha256:${claimed}, its content has sha256:${actual}`,
  });
  expect(news).toEqual([{ imagePath: paths.image(id), trust: 'quarantined', verified: [] }]);
});

test('an image that cannot be opened stays unverified', async () => {
  const id = addLayer('lost', 'unverified');
  await using verification = start();
  verification.enqueue(id);
  await eventually(() => log.length > 0);
  expect(log).toMatchObject([{ level: 'error', image: 'lost' }]);
  expect(store.snapshots.get(id)?.trust).toBe('unverified');
  expect(news).toEqual([]);
});

test('of a layer that was removed meanwhile there is nothing to say', async () => {
  const id = addLayer('removed', 'unverified');
  const next = addLayer('next', 'unverified');
  await makeReadyMade(paths.image(id), { file: 'content' });
  await makeReadyMade(paths.image(next), { file: 'content' });
  await using verification = start();
  verification.resume();
  store.transaction(() => store.snapshots.delete(id));
  await eventually(() => log.length > 0);
  expect(log).toMatchObject([{ level: 'info', image: 'next' }]);
  expect(news.map(({ imagePath }) => imagePath)).not.toContain(paths.image(id));
});

test('a verdict is stored though the layer server does not hear of it', async () => {
  const id = addLayer('unheard', 'unverified');
  await makeReadyMade(paths.image(id), { file: 'content' });
  await using verification = start(() => Promise.reject(new Error('it has gone')));
  verification.enqueue(id);
  await eventually(() => log.length === 3);
  expect(store.snapshots.get(id)?.trust).toBe('verified');
  expect(log.map(({ level }) => level).sort()).toEqual(['info', 'warn', 'warn']);
});
