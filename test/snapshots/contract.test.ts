import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DomainDecision } from '../../config/domain-policy';
import { setXattr } from '../../linux/xattr';
import { eventually } from '../../linux/testing/eventually';
import { mountSnapshot } from '../harness/mounting';
import { codeOf, failureOf } from '../harness/snapshots-connection';
import { brokenInvariants } from '../harness/snapshots-invariants';
import { useSnapshotter } from '../harness/snapshotter-fixture';

const run = promisify(execFile);
const here = useSnapshotter();

describe('what is refused', () => {
  test('keys and parents', async () => {
    await here.commitLayer('base');
    await here.client.prepare('active', 'base');
    expect(await codeOf(here.client.prepare('', 'base'))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(here.client.view('', ''))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(here.client.prepare('x', 'absent'))).toBe('NOT_FOUND');
    expect(await codeOf(here.client.prepare('x', 'active'))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(here.client.prepare('base', ''))).toBe('ALREADY_EXISTS');
    for (const call of [
      here.client.stat('x'),
      here.client.mounts('x'),
      here.client.remove('x'),
      here.client.usage('x'),
    ]) {
      expect(await codeOf(call)).toBe('NOT_FOUND');
    }
    expect(await codeOf(here.client.update({ name: 'x' }))).toBe('NOT_FOUND');
    expect(await readdir(here.paths.snapshots)).toHaveLength(1);
  });

  test('commits', async () => {
    await here.commitLayer('base');
    await here.client.prepare('active');
    await here.client.view('view', 'base');
    expect(await codeOf(here.client.commit('new', 'absent'))).toBe('NOT_FOUND');
    expect(await codeOf(here.client.commit('base', 'active'))).toBe('ALREADY_EXISTS');
    expect(await codeOf(here.client.commit('active', 'active'))).toBe('ALREADY_EXISTS');
    expect(await codeOf(here.client.commit('new', 'view'))).toBe('FAILED_PRECONDITION');
    expect(await codeOf(here.client.commit('new', 'base'))).toBe('FAILED_PRECONDITION');
    expect(await codeOf(here.client.commit('', 'active'))).toBe('INVALID_ARGUMENT');
  });

  test('the mounts of a committed snapshot', async () => {
    await here.commitLayer('base');
    expect(await codeOf(here.client.mounts('base'))).toBe('FAILED_PRECONDITION');
  });

  test('filters and labels that are wrong', async () => {
    expect(await codeOf(here.client.list('name=='))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(here.client.list('name~=(', 'name'))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(here.client.prepare('x', '', { long: 'x'.repeat(4096) }))).toBe('INVALID_ARGUMENT');
  });
});

test('a committed snapshot has the labels of its commit and the time of its commit', async () => {
  await here.client.prepare('key', '', { from: 'prepare', both: '1' });
  const before = await here.client.stat('key');
  await here.client.commit('done', 'key', { both: '2' });
  const after = await here.client.stat('done');
  expect(after.labels).toEqual({ both: '2' });
  expect(after.created_at).toEqual(after.updated_at);
  expect(after.created_at).not.toEqual(before.created_at);
});

test('a commit may give a parent to a snapshot that was prepared without one, and change none', async () => {
  await here.commitLayer('base');
  await here.commitLayer('other');
  await here.client.prepare('free');
  expect(await codeOf(here.client.commit('done', 'free', {}, 'absent'))).toBe('NOT_FOUND');
  await here.client.commit('done', 'free', {}, 'base');
  expect((await here.client.stat('done')).parent).toBe('base');
  await here.client.prepare('bound', 'base');
  expect(await codeOf(here.client.commit('done2', 'bound', {}, 'other'))).toBe('INVALID_ARGUMENT');
  await here.client.commit('done2', 'bound', {}, 'base');
  expect(await codeOf(here.client.remove('base'))).toBe('FAILED_PRECONDITION');
});

test('Mounts says what Prepare and View said', async () => {
  await here.commitLayer('base');
  await here.commitLayer('top', 'base');
  expect(await here.client.mounts('top-again').catch(() => 'absent')).toBe('absent');
  for (const parent of ['', 'base', 'top']) {
    expect(await here.client.prepare(`a-${parent}`, parent)).toEqual(await here.client.mounts(`a-${parent}`));
    expect(await here.client.view(`v-${parent}`, parent)).toEqual(await here.client.mounts(`v-${parent}`));
  }
});

test('List answers in messages of a bounded size', async () => {
  for (let index = 0; index < 230; index++) await here.client.view(`v${index}`);
  const messages = await here.client.listMessages();
  expect(messages.map((infos) => infos.length)).toEqual([100, 100, 30]);
  expect((await here.client.list('name~=^v1.$')).map(({ name }) => name).sort()).toHaveLength(10);
  expect(await here.client.listMessages('name==absent')).toEqual([]);
});

test('the root directory has the mode and owner of the parent', async () => {
  await here.client.prepare('base-key');
  await chmod(here.upperOf('base-key'), 0o1751);
  await chown(here.upperOf('base-key'), 12, 34);
  await here.client.commit('base', 'base-key');
  using mounted = await mountSnapshot(await here.client.prepare('child', 'base'), here.scratch.in('mnt'));
  expect(await stat(mounted.path)).toMatchObject({ mode: 0o041751, uid: 12, gid: 34 });
});

test('a redirect that an image brings along is not followed', async () => {
  await here.client.prepare('base-key');
  await mkdir(join(here.upperOf('base-key'), 'secret'));
  await writeFile(join(here.upperOf('base-key'), 'secret', 'treasure'), 'x');
  await here.client.commit('base', 'base-key');
  await here.client.prepare('forged-key', 'base');
  await here.client.commit('forged', 'forged-key');
  // Our own builder refuses such a directory, so the image is replaced by one from elsewhere.
  const forged = here.scratch.in('forged');
  await mkdir(join(forged, 'open'), { recursive: true });
  setXattr(join(forged, 'open'), 'trusted.overlay.redirect', Buffer.from('/secret'));
  const image = here.imageOf('forged');
  await run('mkfs.erofs', [image, forged]);

  using active = await mountSnapshot(await here.client.prepare('a', 'forged'), here.scratch.in('active'));
  expect(await readdir(join(active.path, 'secret'))).toEqual(['treasure']);
  // overlayfs lists such a directory without merging, or refuses it; either way the target does not show.
  await expect(readdir(join(active.path, 'open')).catch(() => [])).resolves.toEqual([]);
  using view = await mountSnapshot(await here.client.view('v', 'forged'), here.scratch.in('view'));
  await expect(readdir(join(view.path, 'open')).catch(() => [])).resolves.toEqual([]);
});

describe('usage', () => {
  test('of an active snapshot is what it holds', async () => {
    await here.commitLayer('base', '', 'x'.repeat(1 << 20));
    await here.client.prepare('active', 'base');
    const empty = await here.client.usage('active');
    expect(empty.inodes).toBe(1);
    await writeFile(join(here.upperOf('active'), 'big'), Buffer.alloc(300_000, 1));
    const full = await here.client.usage('active');
    expect(full.inodes).toBe(2);
    expect(full.size - empty.size).toBeGreaterThanOrEqual(300_000);
    expect(full.size - empty.size).toBeLessThan(400_000);
  });

  test('of a committed snapshot is what its image takes', async () => {
    await here.commitLayer('base', '', 'x'.repeat(1 << 20));
    const { id } = here.parts.store.snapshots.find('base')!;
    const { blocks } = await stat(here.paths.image(id));
    expect(await here.client.usage('base')).toEqual({ size: blocks * 512, inodes: 2 });
    await here.client.view('view', 'base');
    expect(await here.client.usage('view')).toEqual({ size: 0, inodes: 0 });
  });
});

function decided(domain: string | undefined): DomainDecision {
  return { domain, rule: 'of the test', refused: undefined };
}

describe('domains', () => {
  beforeEach(() => here.start({ domainFor: ({ key }) => decided(/^(red|blue)/.exec(key)?.[0]) }));

  test('each see a layer under a path and with inode numbers of their own', async () => {
    await here.commitLayer('base');
    const [red] = await here.client.view('red-1', 'base');
    const [blue] = await here.client.view('blue-1', 'base');
    const [plain] = await here.client.view('plain', 'base');
    expect(new Set([red!.source, blue!.source, plain!.source]).size).toBe(3);
    const { attachments, snapshots, domains } = here.parts.store;
    const ranges = attachments.ofSnapshot(snapshots.find('base')!.id);
    expect(new Set(ranges.map(({ inoBase }) => inoBase)).size).toBe(3);
    for (const { name, token, secret } of domains.list()) {
      expect([red!.source, blue!.source].filter((path) => path.includes(token))).toHaveLength(1);
      expect(red!.source + blue!.source).not.toContain(name);
      expect(red!.source + blue!.source).not.toContain(secret.toString('hex'));
    }
  });

  test('stay what they were when the policy changes, for snapshots that exist', async () => {
    await here.commitLayer('base');
    const before = await here.client.prepare('red-1', 'base');
    await here.start({ domainFor: () => decided('green') });
    expect(await here.client.mounts('red-1')).toEqual(before);
  });

  test('are not made for snapshots that have no layers', async () => {
    await here.client.prepare('red-1');
    expect(here.parts.store.domains.list()).toEqual([]);
  });
});

describe('layers', () => {
  test('are attached once for many snapshots in a row, and detached when none is left', async () => {
    await here.commitLayer('base');
    for (let round = 0; round < 5; round++) {
      await here.client.prepare(`k${round}`, 'base');
      await here.client.remove(`k${round}`);
    }
    const { layers } = here.parts;
    expect(layers.calls).toEqual(['attach 1']);
    await eventually('the layer is detached', () => layers.mounted.length === 0);
  });

  test('are detached at once when their image is removed', async () => {
    await here.start({ lingerMs: 60_000 });
    await here.commitLayer('base');
    await here.client.view('v', 'base');
    await here.client.remove('v');
    expect(here.parts.layers.mounted).toHaveLength(1);
    await here.client.remove('base');
    expect(here.parts.layers.mounted).toEqual([]);
    await here.client.cleanup();
    expect(await readdir(here.paths.images)).toEqual([]);
  });

  test('that cannot be attached fail the call and leave nothing behind', async () => {
    await here.commitLayer('base');
    const { layers } = here.parts;
    layers.broken.add(1);
    expect((await failureOf(here.client.prepare('k', 'base'))).details).toContain('layer base is broken');
    expect(await codeOf(here.client.stat('k'))).toBe('NOT_FOUND');
    await here.client.cleanup();
    expect(await brokenInvariants(here.paths, here.parts.store)).toEqual([]);
    layers.broken.clear();
    await here.client.prepare('k', 'base');
  });
});
