import { lineOfKey } from './key-line';

const TEXT = `# comment
root = "/a"
lists = [
  1,
  2,
]
[fuse]
passthrough = true
[domains.namespaces]
"k8s.io" = "x"
[[domains.rules]]
domain = "a"
[[domains.rules]]
choose = ["b"]
build.workers = 3
`;

test.each([
  [['root'], 2],
  [['lists'], 6],
  [['fuse'], 7],
  [['fuse', 'passthrough'], 8],
  [['domains', 'namespaces', 'k8s.io'], 10],
  [['domains', 'rules', 0], 11],
  [['domains', 'rules', 1], 13],
  [['domains', 'rules', 1, 'choose', 0], 14],
  [['domains', 'rules', 1, 'build', 'workers'], 15],
])('%j', (path, line) => {
  expect(lineOfKey(TEXT, path)).toBe(line);
});

test('a key that is not there has no line', () => {
  expect(lineOfKey(TEXT, ['domains', 'default'])).toBeUndefined();
  expect(lineOfKey(TEXT, ['toString'])).toBeUndefined();
});
