import fc from 'fast-check';

/**
 * A property whose trial under way can be waited for. At a time limit (interruptAfterTimeLimit) fast-check leaves it to itself,
 * and it would meddle with whatever comes next.
 */
export function observed<Case>(property: fc.IAsyncProperty<Case>): {
  readonly property: fc.IAsyncProperty<Case>;
  /** Rejects with what that trial has found. */
  settled(): Promise<void>;
} {
  let underWay: ReturnType<typeof property.run> = Promise.resolve(null);
  return {
    property: Object.assign(Object.create(property) as typeof property, {
      run: (value: Case) => (underWay = property.run(value)),
    }),
    settled: async () => {
      const last = await underWay;
      if (last !== null && 'error' in last) throw last.error;
    },
  };
}

/** fc.assert for as long as there is time (ms), with trials that must not outlive it. */
export async function assertWhole<Case>(
  property: fc.IAsyncProperty<Case>,
  { numRuns, limitMs }: { readonly numRuns: number; readonly limitMs: number },
): Promise<void> {
  const watched = observed(property);
  try {
    await fc.assert(watched.property, { numRuns, plugins: [fc.interruptAfterTimeLimit(limitMs)] });
  } catch (error) {
    // What is told is what was found first.
    await watched.settled().catch(() => undefined);
    throw error;
  }
  await watched.settled();
}
