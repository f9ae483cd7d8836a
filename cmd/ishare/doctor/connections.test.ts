import { parseMountTable } from '../../../linux/mount-table';
import { lostConnections, withKnownServers, type Connection } from './connections';

const table = parseMountTable('2 1 0:40 / /s/images ro - fuse.ishare ishare ro\n');
const connection = (minor: number, ...servers: number[]): Connection => ({ minor, servers, waiting: 0 });

test('a kernel that says who has a connection is believed', () => {
  const told = [connection(40), connection(41, 11)];
  expect(withKnownServers(told, table, '/s/images', [11])).toBe(told);
});

test('where the kernel does not say, those that must have the connection are taken to have it', () => {
  const untold = [connection(40), connection(41)];
  expect(withKnownServers(untold, table, '/s/images', [10, 11])).toEqual([
    connection(40, 10, 11),
    connection(41),
  ]);
  expect(withKnownServers(untold, table, '/s/images', [])).toEqual(untold);
});

test('a connection is lost that nobody serves and that is mounted nowhere', () => {
  const all = [connection(40), connection(41, 11), connection(42)];
  expect(lostConnections(all, { own: [], others: [table] })).toEqual([42]);
});
