/** `ctr` calls under way at a time. */
const AT_A_TIME = 4;

/** Calls something for each id, a few at a time, in their order. */
export async function sideBySide(
  ids: readonly string[],
  call: (id: string, index: number) => Promise<unknown>,
): Promise<void> {
  const waiting = [...ids.entries()];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await call(next[1], next[0]);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}
