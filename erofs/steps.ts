/**
 * A computation that yields what it must wait for, and is given what that resolves to. Nearly all that a read needs is in
 * memory, and an async function costs a promise and a turn of the microtask queue in each of its layers all the same.
 */
export type Steps<Result> = Generator<Promise<unknown>, Result, unknown>;

/** The result at once where the computation never had to wait. Throws or rejects with what it throws. */
export function settle<Result>(steps: Steps<Result>): Result | Promise<Result> {
  const step = steps.next();
  return step.done === true ? step.value : finish(steps, step.value);
}

/** `yield*` it: gives the value, at once where it is there. */
export function* waitFor<Value>(value: Value | Promise<Value>): Steps<Value> {
  return value instanceof Promise ? ((yield value) as Value) : value;
}

async function finish<Result>(steps: Steps<Result>, first: Promise<unknown>): Promise<Result> {
  let awaited = first;
  for (;;) {
    let outcome: { readonly value: unknown } | { readonly error: unknown };
    try {
      outcome = { value: await awaited };
    } catch (error) {
      outcome = { error };
    }
    const step = 'error' in outcome ? steps.throw(outcome.error) : steps.next(outcome.value);
    if (step.done === true) return step.value;
    awaited = step.value;
  }
}
