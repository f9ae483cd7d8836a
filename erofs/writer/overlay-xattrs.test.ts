import { DependentUpperError } from './errors';
import { withoutOverlayXattrs } from './overlay-xattrs';
import type { TreeNode } from './tree';

function kept(kind: TreeNode['kind'], xattrs: Record<string, string>): Record<string, string> {
  const list = Object.entries(xattrs).map(([name, value]) => ({
    name: Buffer.from(name),
    value: Buffer.from(value),
  }));
  const result = withoutOverlayXattrs(list, kind, () => '/upper/x');
  return Object.fromEntries(result.map(({ name, value }) => [name.toString(), value.toString()]));
}

test('only an opaque directory keeps its mark', () => {
  expect(kept('directory', { 'trusted.overlay.opaque': 'y' })).toEqual({ 'trusted.overlay.opaque': 'y' });
  expect(kept('directory', { 'trusted.overlay.opaque': 'yes' })).toEqual({ 'trusted.overlay.opaque': 'y' });
  expect(kept('directory', { 'trusted.overlay.opaque': 'x' })).toEqual({});
  expect(kept('directory', { 'trusted.overlay.opaque': '' })).toEqual({});
  expect(kept('file', { 'trusted.overlay.opaque': 'y' })).toEqual({});
  expect(kept('directory', { 'user.overlay.opaque': 'y' })).toEqual({});
});

test('what overlayfs keeps for itself goes, what only looks like it stays', () => {
  const own = { 'trusted.overlay.origin': 'o', 'trusted.overlay.impure': 'y', 'user.overlay.redirect': '/r' };
  const others = {
    'user.overlays': 'a',
    'trusted.overlayed': 'b',
    'security.capability': 'c',
    'trusted.overlay.overlay.opaque': 'y',
    'user.overlay.overlay.metacopy': 'n',
  };
  expect(kept('file', { ...own, ...others })).toEqual(others);
});

test.each(['trusted.overlay.redirect', 'trusted.overlay.metacopy'])('%s is refused', (name) => {
  expect(() => kept('directory', { [name]: 'x' })).toThrow(DependentUpperError);
  expect(() => kept('file', { [name]: 'x' })).toThrow(/^\/upper\/x: .*trusted\.overlay\./);
});
