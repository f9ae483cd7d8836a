import { HEADER, TAR_BLOCK, TYPE } from '../header';

/** What a header says; what is left out is that of an ordinary file. */
export interface CraftedHeader {
  readonly name?: string | Buffer;
  readonly type?: string;
  readonly size?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly link?: string | Buffer;
  readonly major?: number;
  readonly minor?: number;
  readonly prefix?: string;
  /** 8 bytes; that of ustar where it is left out. */
  readonly magic?: string;
  /** Bytes that go into the header as they are, by offset, before its checksum is made. */
  readonly raw?: Readonly<Record<number, string | Buffer>>;
}

export const GNU_MAGIC = 'ustar  \0';
export const OLD_MAGIC = '\0'.repeat(8);

/** Two blocks of zeros. */
export const END = Buffer.alloc(2 * TAR_BLOCK);

/** A header with its checksum. */
export function header(fields: CraftedHeader): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  const octal = (field: { offset: number; width: number }, value: number): void => {
    block.write(value.toString(8).padStart(field.width - 1, '0'), field.offset, 'latin1');
  };
  Buffer.from(fields.name ?? 'file').copy(block, HEADER.name.offset, 0, HEADER.name.width);
  octal(HEADER.mode, fields.mode ?? 0o644);
  octal(HEADER.uid, fields.uid ?? 0);
  octal(HEADER.gid, fields.gid ?? 0);
  octal(HEADER.size, fields.size ?? 0);
  octal(HEADER.mtime, fields.mtime ?? 1_700_000_000);
  block.write(fields.type ?? TYPE.FILE, HEADER.type.offset, 'latin1');
  Buffer.from(fields.link ?? '').copy(block, HEADER.linkName.offset, 0, HEADER.linkName.width);
  block.write(fields.magic ?? 'ustar\u000000', HEADER.magic.offset, 'latin1');
  if (fields.major !== undefined) octal(HEADER.deviceMajor, fields.major);
  if (fields.minor !== undefined) octal(HEADER.deviceMinor, fields.minor);
  block.write(fields.prefix ?? '', HEADER.prefix.offset, 'latin1');
  for (const [offset, bytes] of Object.entries(fields.raw ?? {})) {
    Buffer.from(bytes).copy(block, Number(offset));
  }
  return withChecksum(block);
}

/** Puts the right checksum into a header. */
export function withChecksum(block: Buffer): Buffer {
  const { offset, width } = HEADER.checksum;
  block.fill(' ', offset, offset + width);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, offset, 'latin1');
  return block;
}

/** Content with the zeros that fill its last block. */
export function padded(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([bytes, Buffer.alloc((TAR_BLOCK - (bytes.length % TAR_BLOCK)) % TAR_BLOCK)]);
}

/** A header with content behind it. */
export function member(fields: CraftedHeader, content: string | Buffer = ''): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([header({ size: bytes.length, ...fields }), padded(bytes)]);
}

export function directoryMember(name: string, fields: CraftedHeader = {}): Buffer {
  return header({ name, type: TYPE.DIRECTORY, mode: 0o755, ...fields });
}

export function linkMember(name: string, link: string): Buffer {
  return header({ name, type: TYPE.LINK, link });
}

export function symlinkMember(name: string, link: string): Buffer {
  return header({ name, type: TYPE.SYMLINK, mode: 0o777, link });
}

type Records = readonly (readonly [key: string, value: string | Buffer])[];

/** Records of an extended header; keys are latin1. */
export function paxRecords(records: Records): Buffer {
  return Buffer.concat(
    records.map(([key, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), Buffer.from(value), Buffer.from('\n')]);
      // The length counts its own digits.
      let length = rest.length + 1;
      while (String(length).length + rest.length !== length) length++;
      return Buffer.concat([Buffer.from(String(length)), rest]);
    }),
  );
}

/** An extended header for the next entry, or for all. */
export function pax(records: Records, type: string = TYPE.PAX): Buffer {
  return member({ name: 'PaxHeaders/file', type }, paxRecords(records));
}

/** GNU tar's header for a long name or target. */
export function gnuLong(type: string, value: string | Buffer): Buffer {
  const content = Buffer.concat([Buffer.from(value), Buffer.of(0)]);
  return member({ name: '././@LongLink', type, magic: GNU_MAGIC }, content);
}
