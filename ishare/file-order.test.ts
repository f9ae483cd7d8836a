import { nodeId, type DirectoryItem, type DirectorySink } from '../fuse/file-system';
import { FileOrder } from './file-order';

function item(node: number, { type = 8, size = 1 } = {}): DirectoryItem {
  const time = { seconds: 0, nanoseconds: 0 };
  const attributes = { ino: node, size, mode: type << 12, nlink: 1, uid: 0, gid: 0, rdev: 0, time };
  return {
    name: Buffer.from('name'),
    ino: node,
    type,
    nextCookie: node,
    entry: { node: nodeId(node), attributes },
  };
}

/** Takes so many items. */
function sink(room: number): DirectorySink {
  return { plus: true, add: () => room-- > 0 };
}

test('files follow one another as they were listed, over the ends of directories', () => {
  const order = new FileOrder();
  const first = order.watch(sink(10));
  for (const node of [10, 11]) expect(first.add(item(node))).toBe(true);
  expect(order.watch(sink(10)).add(item(20))).toBe(true);
  expect([10, 11, 20].map((node) => order.after(nodeId(node)))).toEqual([11, 20, undefined]);
});

test('what holds nothing to read, and what found no room, does not count', () => {
  const order = new FileOrder();
  const watched = order.watch(sink(4));
  watched.add(item(10));
  watched.add(item(11, { type: 4 }));
  watched.add(item(12, { size: 0 }));
  watched.add({ name: Buffer.from('.'), ino: 9, type: 8, nextCookie: 1 });
  expect(watched.add(item(13))).toBe(false);
  order.watch(sink(1)).add(item(14));
  expect(order.after(nodeId(10))).toBe(14);
});
