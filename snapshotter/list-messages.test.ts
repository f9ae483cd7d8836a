import fc from 'fast-check';
import { Kind, type Info } from '../proto/snapshots';
import { messagesOf } from './list-messages';

const MEBIBYTE = 1 << 20;

function info(name: string, labelBytes: number): Info {
  return {
    name,
    parent: '',
    kind: Kind.ACTIVE,
    created_at: null,
    updated_at: null,
    labels: { l: 'x'.repeat(labelBytes) },
  };
}

test('small snapshots go into one message, and none are no message', () => {
  const infos = [info('a', 1), info('b', 2)];
  expect([...messagesOf(infos)]).toEqual([infos]);
  expect([...messagesOf([])]).toEqual([]);
});

test('whatever the labels, all arrive in their order, and a message of several is below a mebibyte', () => {
  const sizes = fc.array(
    fc.oneof(fc.nat({ max: 100 }), fc.constantFrom(MEBIBYTE / 2, MEBIBYTE, 2 * MEBIBYTE)),
    {
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(sizes, (all) => {
      const infos = all.map((size, index) => info(`s${index}`, size));
      const messages = [...messagesOf(infos)];
      expect(messages.flat()).toEqual(infos);
      for (const message of messages) {
        const bytes = message.reduce((sum, { labels }) => sum + (labels['l']?.length ?? 0), 0);
        expect(message.length === 1 || bytes <= MEBIBYTE).toBe(true);
      }
    }),
    { seed: 1, numRuns: 50 },
  );
});
