import { connectionServers } from './connection-servers';
import { MemoryFileSystem } from './testing/memory-file-system';
import { ServedMount } from './testing/served-mount';

test('the process that serves a connection is found, until it serves no more', async () => {
  let minor: number;
  {
    await using mount = await ServedMount.attached(new MemoryFileSystem());
    minor = mount.minor;
    expect(await connectionServers(minor)).toEqual([process.pid]);
    expect(await connectionServers(minor + 1_000_000)).toEqual([]);
  }
  expect(await connectionServers(minor)).toEqual([]);
});
