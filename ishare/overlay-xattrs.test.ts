import { OverlayXattrs } from './overlay-xattrs';

const hidden = (name: string): boolean => OverlayXattrs.hidden(Buffer.from(name));

test('of the attributes that overlayfs obeys only the opaque mark gets through', () => {
  for (const name of ['redirect', 'metacopy', 'origin', 'impure', 'nlink', 'upper', 'uuid', 'opaque2', '']) {
    expect(hidden(`trusted.overlay.${name}`)).toBe(true);
  }
  expect(hidden('trusted.overlay.opaque')).toBe(false);
});

test('other attributes are not its business', () => {
  for (const name of ['user.overlay', 'trusted.overlayx', 'security.capability', 'trusted.']) {
    expect(hidden(name)).toBe(false);
  }
});
