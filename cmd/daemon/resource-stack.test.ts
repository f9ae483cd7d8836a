import { ResourceStack } from './resource-stack';

function recorder(): { readonly order: string[]; resource: (name: string) => Disposable } {
  const order: string[] = [];
  return { order, resource: (name) => ({ [Symbol.dispose]: () => void order.push(name) }) };
}

test('resources are let go in the opposite order, synchronous or not', async () => {
  const { order, resource } = recorder();
  {
    await using stack = new ResourceStack();
    stack.use(resource('first'));
    stack.use({
      async [Symbol.asyncDispose]() {
        await Promise.resolve();
        order.push('second');
      },
    });
    stack.defer(() => order.push('third'));
  }
  expect(order).toEqual(['third', 'second', 'first']);
});

test('what was moved away is let go by the new owner alone', async () => {
  const { order, resource } = recorder();
  let moved: ResourceStack;
  {
    await using stack = new ResourceStack();
    stack.use(resource('only'));
    moved = stack.move();
  }
  expect(order).toEqual([]);
  await moved[Symbol.asyncDispose]();
  await moved[Symbol.asyncDispose]();
  expect(order).toEqual(['only']);
});

test('a failure does not keep the others, and is thrown in the end', async () => {
  const { order, resource } = recorder();
  const stack = new ResourceStack();
  stack.use(resource('first'));
  stack.defer(() => Promise.reject(new Error('stuck')));
  stack.use(resource('third'));
  await expect(stack[Symbol.asyncDispose]()).rejects.toThrow('stuck');
  expect(order).toEqual(['third', 'first']);
});

test('of several failures none is lost', async () => {
  const stack = new ResourceStack();
  stack.defer(() => Promise.reject(new Error('one')));
  stack.defer(() => {
    throw new Error('two');
  });
  await expect(stack[Symbol.asyncDispose]()).rejects.toThrow('two; one');
});
