import fc from 'fast-check';
import { DirectoryReply } from './directory-reply';
import { nodeId, type DirectoryItem } from './file-system';
import { Attr, Dirent, EntryOut } from './protocol/structures';

interface Unpacked {
  readonly name: string;
  readonly ino: bigint;
  readonly cookie: bigint;
  readonly type: number;
  /** READDIRPLUS only. */
  readonly node?: bigint;
  readonly mode?: number;
}

/** Reads a reply as fs/fuse/readdir.c does. */
function unpack(bytes: Buffer, plus: boolean): Unpacked[] {
  const items: Unpacked[] = [];
  const prefix = plus ? EntryOut.size : 0;
  for (let at = 0; at < bytes.length;) {
    const dirent = at + prefix;
    const nameLength = bytes.readUInt32LE(dirent + Dirent.nameLength);
    const name = bytes.toString('latin1', dirent + Dirent.name, dirent + Dirent.name + nameLength);
    items.push({
      name,
      ino: bytes.readBigUInt64LE(dirent + Dirent.ino),
      cookie: bytes.readBigUInt64LE(dirent + Dirent.offset),
      type: bytes.readUInt32LE(dirent + Dirent.type),
      ...(plus && {
        node: bytes.readBigUInt64LE(at + EntryOut.nodeid),
        mode: bytes.readUInt32LE(at + EntryOut.attr + Attr.mode),
      }),
    });
    at += Math.ceil((prefix + Dirent.size + nameLength) / 8) * 8;
  }
  return items;
}

function item(name: Buffer, index: number, withEntry: boolean): DirectoryItem {
  const attributes = { ino: index + 10, size: 0, mode: 0o100600, nlink: 1, uid: 0, gid: 0, rdev: 0 };
  const time = { seconds: 0, nanoseconds: 0 };
  const plain = { name, ino: index + 10, type: 8, nextCookie: index + 1 };
  return withEntry
    ? { ...plain, entry: { node: nodeId(index + 100), attributes: { ...attributes, time } } }
    : plain;
}

const names = fc.array(
  fc.uint8Array({ minLength: 1, maxLength: 255 }).map((bytes) => Buffer.from(bytes)),
  {
    maxLength: 40,
  },
);

test('what was taken comes back in order, and what was not would not have fitted', () => {
  fc.assert(
    fc.property(names, fc.integer({ min: 0, max: 8192 }), fc.boolean(), (all, capacity, plus) => {
      const reply = new DirectoryReply(Buffer.alloc(capacity, 0xa5), plus);
      let taken = 0;
      while (taken < all.length && reply.add(item(all[taken]!, taken, plus))) taken += 1;
      const bytes = reply.bytes();
      expect(bytes.length).toBeLessThanOrEqual(capacity);
      expect(unpack(bytes, plus)).toEqual(
        all.slice(0, taken).map((name, index) => ({
          name: name.toString('latin1'),
          ino: BigInt(index + 10),
          cookie: BigInt(index + 1),
          type: 8,
          ...(plus && { node: BigInt(index + 100), mode: 0o100600 }),
        })),
      );
      if (taken < all.length) {
        const next = Dirent.size + (plus ? EntryOut.size : 0) + all[taken]!.length;
        expect(bytes.length + Math.ceil(next / 8) * 8).toBeGreaterThan(capacity);
      }
    }),
    { seed: 5, numRuns: 200 },
  );
});

test('an entry without attributes has node id 0, so that the kernel looks it up itself', () => {
  const reply = new DirectoryReply(Buffer.alloc(4096, 0xa5), true);
  reply.add(item(Buffer.from('.'), 0, false));
  expect(unpack(reply.bytes(), true)).toMatchObject([{ name: '.', node: 0n }]);
});
