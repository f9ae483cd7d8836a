import { nodeId, type MaybePromise, type NodeId } from '../fuse/file-system';
import { ReadAnticipation } from './read-anticipation';

/** Files 1, 2, 3 ... follow one another; each holds its number. */
const order = { after: (node: NodeId): NodeId => nodeId(node + 1) };

function anticipation(read: (node: NodeId, memory: Buffer) => MaybePromise<Buffer> = content): {
  subject: ReadAnticipation;
  read: number[];
  /** A READ of the file, and time after it. */
  open: (node: number) => { start: MaybePromise<Buffer | undefined> };
} {
  const seen: number[] = [];
  const subject = new ReadAnticipation(order, (node, memory) => {
    seen.push(node);
    return read(node, memory);
  });
  const open = (node: number): { start: MaybePromise<Buffer | undefined> } => {
    const start = subject.startOf(nodeId(node));
    subject.prepare();
    return { start };
  };
  return { subject, read: seen, open };
}

function content(node: NodeId, memory: Buffer): Buffer {
  return memory.subarray(0, 3).fill(node);
}

test('once one guess came true, the file after the one that is read is read before it is asked for', () => {
  const { subject, read, open } = anticipation();
  expect([open(1).start, open(2).start]).toEqual([undefined, undefined]);
  expect(subject.startOf(nodeId(3))).toEqual(Buffer.of(3, 3, 3));
  subject.prepare();
  expect(subject.startOf(nodeId(4))).toEqual(Buffer.of(4, 4, 4));
  expect(read).toEqual([3, 4]);
});

test('a file is read once, however often there is time', () => {
  const { subject, read, open } = anticipation();
  for (const node of [1, 2, 2, 2]) open(node);
  subject.prepare();
  expect(read).toEqual([3]);
});

test('nothing is read for who opens files in another order', () => {
  const { read, open } = anticipation();
  for (let node = 100; node > 0; node -= 3) open(node);
  expect(read).toEqual([]);
});

test('guesses end soon after they stop coming true', () => {
  const { read, open } = anticipation();
  for (let node = 1; node < 20; node++) open(node);
  const before = read.length;
  for (let node = 1000; node > 800; node -= 2) open(node);
  expect(read.length - before).toBeLessThan(5);
});

test('a file that is asked for while it is being read is waited for, and nothing else is read meanwhile', async () => {
  let done: (() => void) | undefined;
  const { subject, read, open } = anticipation(async (node, memory) => {
    await new Promise<void>((resolve) => (done = resolve));
    return content(node, memory);
  });
  open(1);
  open(2);
  const { start: waiting } = open(3);
  expect(waiting).toBeInstanceOf(Promise);
  expect(read).toEqual([3]);
  done?.();
  expect(await waiting).toEqual(Buffer.of(3, 3, 3));
  expect(subject.startOf(nodeId(3))).toEqual(Buffer.of(3, 3, 3));
});

test.each([
  ['throws', (): Buffer => fail()],
  ['rejects', (): Promise<Buffer> => Promise.reject(new Error('the disk failed'))],
])('a read ahead that %s leaves the failure to who asks', async (_title, read) => {
  const { subject, open } = anticipation(read);
  open(1);
  open(2);
  expect(await subject.startOf(nodeId(3))).toBeUndefined();
});

function fail(): never {
  throw new Error('the disk failed');
}
