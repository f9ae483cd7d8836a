import type { Info } from '../proto/snapshots';

/** Labels and names in one message of List (bytes). gRPC clients refuse what is larger than 4 MiB, containerd's than 16. */
const MESSAGE_BYTES = 1 << 20;

/** Cuts a list into messages that every client takes; each has one snapshot at least. */
export function* messagesOf(infos: readonly Info[]): Generator<Info[], void, undefined> {
  let message: Info[] = [];
  let bytes = 0;
  for (const info of infos) {
    const size = textBytes(info);
    if (message.length > 0 && bytes + size > MESSAGE_BYTES) {
      yield message;
      message = [];
      bytes = 0;
    }
    message.push(info);
    bytes += size;
  }
  if (message.length > 0) yield message;
}

function textBytes({ name, parent, labels }: Info): number {
  return [name, parent, ...Object.entries(labels).flat()].reduce(
    (sum, text) => sum + Buffer.byteLength(text),
    0,
  );
}
