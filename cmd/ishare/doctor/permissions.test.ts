import { permissionFindings } from './permissions';

test('modes that let others in are put right, but not those of directories that may be anything', () => {
  const wanted = 0o700;
  expect(permissionFindings([{ path: '/r', mode: 0o700, wanted, ours: true }])).toMatchObject([
    { level: 'ok' },
  ]);
  const found = permissionFindings([
    { path: '/r', mode: 0o750, wanted, ours: true },
    { path: '/tmp', mode: 0o1777, wanted, ours: false },
  ]);
  expect(found).toMatchObject([
    { level: 'problem', where: '/r', remedy: 'chmod 0700', repair: expect.any(Function) as unknown },
    { level: 'note', where: '/tmp' },
  ]);
  expect(found[1]?.repair).toBeUndefined();
});
