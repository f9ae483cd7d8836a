const ATTEMPTS = 5;

/**
 * For what counts pages that nobody has mapped, to the last one: the kernel may reclaim some at any moment. A check that
 * fails is made again, a few times, so it must bring all pages in anew.
 */
export async function repeatedCheck(check: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await check();
      return;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}
