import { Opcode } from '../fuse/protocol/opcode';
import { ReadIn } from '../fuse/protocol/structures';
import { Session } from '../fuse/session';
import { MemoryFileSystem } from '../fuse/testing/memory-file-system';
import { request, Script } from '../fuse/testing/script';
import { CACHING } from '../fuse/testing/served-mount';
import { slowRequests } from './slow-requests';

test('a READ that hangs is logged with its file and counted, and its end is logged', async () => {
  const fileSystem = new MemoryFileSystem();
  const file = fileSystem.file(fileSystem.root, 'file', 'content');
  let release: (() => void) | undefined;
  fileSystem.beforeRead = () => new Promise((resolve) => (release = resolve));
  const lines: { level: string; message: string; details: unknown }[] = [];
  let notice = (): void => undefined;
  const noticed = new Promise<void>((resolve) => (notice = resolve));
  using watch = slowRequests({
    mount: 'images',
    log: (level, message, details) => {
      lines.push({ level, message, details });
      notice();
    },
    describe: (node) => (node === file.id ? 'layer, inode 36' : undefined),
    thresholdMs: 20,
  });
  const read = Buffer.alloc(ReadIn.size);
  const script = new Script([
    request({ opcode: Opcode.GETATTR, unique: 2n }, Buffer.alloc(16)),
    request({ opcode: Opcode.READ, unique: 4n, node: BigInt(file.id) }, read),
  ]);
  const session = new Session(script, fileSystem, CACHING, { onFault: () => undefined, pending: watch });
  const served = session.run();
  await noticed;
  expect(watch.slow).toBe(1);
  release?.();
  await served;
  const details = {
    mount: 'images',
    operation: 'READ',
    node: file.id,
    file: 'layer, inode 36',
    seconds: expect.any(Number) as number,
  };
  expect(lines).toEqual([
    { level: 'warn', message: 'a file system request is not answered', details },
    { level: 'info', message: 'a file system request was answered late', details },
  ]);
  expect([watch.noticed, watch.slow]).toEqual([1, 0]);
  expect([...watch.underWay()]).toEqual([]);
});

test('requests that fail later end as well', async () => {
  const fileSystem = new MemoryFileSystem();
  fileSystem.attributes = () => Promise.reject(new Error('broken'));
  using watch = slowRequests({ mount: 'images', log: () => undefined, describe: () => undefined });
  const script = new Script([request({ opcode: Opcode.GETATTR, unique: 2n }, Buffer.alloc(16))]);
  const session = new Session(script, fileSystem, CACHING, { onFault: () => undefined, pending: watch });
  await session.run();
  expect([...watch.underWay()]).toEqual([]);
});
