/** struct sockaddr_un (unix(7)): the family, then the path. */
const SUN_PATH = 2;
export const AF_UNIX = 1;

/** struct sockaddr_un of a path in the file system, or of an abstract name, written with `@` for its first byte, 0. */
export function unixAddress(path: string): Buffer {
  const abstract = path.startsWith('@');
  // An abstract name is as long as the address says.
  const name = Buffer.from(abstract ? `\0${path.slice(1)}` : `${path}\0`);
  const address = Buffer.alloc(SUN_PATH + name.length);
  address.writeUInt16LE(AF_UNIX);
  name.copy(address, SUN_PATH);
  return address;
}
