import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { makeDevice, makeNode } from '../../../linux/device-node';
import { mount, MS, unmount } from '../../../linux/mount';
import { setXattr } from '../../../linux/xattr';
import type { Layer, LayerNode } from './layer-files';
import { directory, file, layer, whiteout } from './testing/layers';
import { visibleFiles } from './visible-files';
import { LONG } from '../../../linux/testing/long-trials';

const RUNS = LONG ? 2000 : 100;
const S_IFCHR = 0o020000;
/** Contents of random files. */
const TEXTS = ['one', 'two', 'three'];

function paths(...layers: readonly Layer[]): string[] {
  return [...visibleFiles(layers)].map(({ path }) => path).sort();
}

test('the topmost layer that has a name decides what it is', () => {
  const [lower, upper] = [layer({ a: file('old'), b: file('kept') }), layer({ a: file('new') })];
  const found = [...visibleFiles([lower, upper])];
  expect(found.find(({ path }) => path === '/a')?.layer).toBe(upper);
  expect(found.find(({ path }) => path === '/b')?.layer).toBe(lower);
  expect(found).toHaveLength(2);
});

test('directories are merged down to an opaque one, or to something that is no directory', () => {
  const bottom = layer({ d: directory({ bottom: file('1') }) });
  const middle = layer({ d: directory({ middle: file('2') }, true) });
  const top = layer({ d: directory({ top: file('3') }) });
  expect(paths(bottom, middle, top)).toEqual(['/d/middle', '/d/top']);
  expect(paths(bottom, layer({ d: file('no directory') }), top)).toEqual(['/d/top']);
  expect(paths(bottom, layer({ d: whiteout }), top)).toEqual(['/d/top']);
  expect(paths(bottom, layer({ d: whiteout }))).toEqual([]);
});

test('a file with several names comes with each, and names of any depth come', () => {
  const linked = file('linked');
  expect(paths(layer({ a: linked, b: linked }))).toEqual(['/a', '/b']);
  let deep: LayerNode = file('deep');
  for (let depth = 0; depth < 50_000; depth++) deep = directory({ d: deep });
  expect(paths(layer({ d: deep }))).toEqual(['/d'.repeat(50_001)]);
});

const nodes = fc.letrec<{ node: LayerNode; entries: Record<string, LayerNode> }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'tree' },
    fc.constantFrom(...TEXTS).map(file),
    fc.constant(whiteout),
    fc.tuple(tie('entries'), fc.boolean()).map(([entries, opaque]) => directory(entries, opaque)),
  ),
  entries: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('node'), {
    maxKeys: 3,
    depthIdentifier: 'tree',
  }),
}));

test('random layers show the files that overlayfs shows of them', () => {
  const layersOf = fc.array(fc.tuple(nodes.entries, fc.boolean()), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(layersOf, (drawn) => {
      const layers = drawn.map(([entries, opaque]): Layer => ({ root: directory(entries, opaque) }));
      const expected = [...visibleFiles(layers)].map(({ path, file: { digest } }) => `${path} ${digest}`);
      expect(shownByOverlayfs(layers)).toEqual(expected.sort());
    }),
    { numRuns: RUNS },
  );
});

/** Path and digest of all files that the kernel shows of these layers. */
function shownByOverlayfs(layers: readonly Layer[]): string[] {
  const scratch = mkdtempSync(join(tmpdir(), 'ishare-overlay-'));
  try {
    // One layer alone is no overlay.
    const lower = [layer({}), ...layers].map(({ root }, index) => {
      const path = join(scratch, `layer-${index}`);
      write(root, path);
      return path;
    });
    const merged = join(scratch, 'merged');
    mkdirSync(merged);
    mount('overlay', merged, 'overlay', MS.RDONLY, `lowerdir=${lower.reverse().join(':')}`);
    try {
      return readdirSync(merged, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => join(parentPath, name))
        .map((path) => `${path.slice(merged.length)} ${file(readFileSync(path, 'utf8')).digest}`)
        .sort();
    } finally {
      unmount(merged);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function write(node: LayerNode, path: string): void {
  switch (node.kind) {
    case 'directory':
      mkdirSync(path);
      for (const [name, child] of node.entries) write(child, join(path, name));
      if (node.opaque) setXattr(path, 'trusted.overlay.opaque', Buffer.from('y'));
      return;
    case 'file':
      writeFileSync(path, TEXTS.find((text) => file(text).digest === node.digest) ?? '');
      return;
    case 'bare':
      makeNode(path, S_IFCHR, makeDevice(0, 0));
  }
}
