import fc from 'fast-check';
import { NO_HANDLE, nodeId } from '../../../fuse/file-system';
import { Opcode } from '../../../fuse/protocol/opcode';
import { InHeader } from '../../../fuse/protocol/structures';
import { Session } from '../../../fuse/session';
import { Script, type Written } from '../../../fuse/testing/script';
import { search } from '../search';
import { objection, wantsAnswer } from './kernel-demands';
import { requestsAbout, stepsOf, type Sent } from './requests';
import { subjects, type Subject } from './subjects';

/** Buffers of answers, requests and images that may be alive at a time (bytes). */
const MEMORY_LIMIT = 256 * 2 ** 20;
/** A session that has not ended by then hangs (ms). */
const TRIAL_LIMIT = 20_000;

/** Faults that requests may cause: whatever else is thrown is a mistake of this program. */
const EXPECTED_FAULTS: ReadonlySet<string> = new Set([
  'ProtocolError',
  'FuseError',
  'FuseUnavailableError',
  'ErofsCorruptError',
  'ErofsUnsupportedError',
  'ErofsUsageError',
]);

interface Outcome {
  readonly replies: readonly Written[];
  readonly faults: readonly unknown[];
}

async function serve({ fileSystem, wishes }: Subject, requests: readonly Sent[]): Promise<Outcome> {
  const script = new Script(stepsOf(requests));
  const faults: unknown[] = [];
  const session = new Session(script, fileSystem, wishes, { onFault: (_name, error) => faults.push(error) });
  let limit: NodeJS.Timeout | undefined;
  const hangs = new Promise<never>((_resolve, reject) => {
    limit = setTimeout(() => reject(new Error('the session hangs')), TRIAL_LIMIT);
  });
  // That it ends means that nothing is in flight any more.
  await Promise.race([session.run(), hangs]).finally(() => clearTimeout(limit));
  for (const { opcode, unique, bytes } of requests) {
    const opened = script.replies.some((reply) => reply.unique === unique && reply.error === 0);
    if (opcode !== Opcode.OPEN || !opened) continue;
    fileSystem.release?.(nodeId(Number(bytes.readBigUInt64LE(InHeader.nodeid))), NO_HANDLE, unique);
  }
  return { replies: script.replies, faults };
}

/** Replies that are comparable: by number, then by what they say. */
function sorted(replies: readonly Written[]): string[] {
  return replies.map(({ unique, error, body }) => `${unique} ${error} ${body.toString('base64')}`).sort();
}

describe.each(subjects)('a file system %s', (_name, make) => {
  let subject: Subject;

  beforeAll(async () => {
    subject = await make();
  });

  afterAll(async () => {
    await subject[Symbol.asyncDispose]();
  });

  test('answers whatever comes once, as the kernel takes it, and as if it came alone', async () => {
    // What files before this one have left for the collector is not ours.
    const before = process.memoryUsage().arrayBuffers;
    const trial = async (requests: Sent[]): Promise<void> => {
      const alone: Outcome[] = [];
      for (const one of requests) {
        const outcome = await serve(subject, [one]);
        expect(outcome.replies.map(({ unique }) => unique)).toEqual(wantsAnswer(one) ? [one.unique] : []);
        for (const reply of outcome.replies) expect(objection(one, reply)).toBeUndefined();
        alone.push(outcome);
      }
      const together = await serve(subject, requests);
      expect(sorted(together.replies)).toEqual(sorted(alone.flatMap(({ replies }) => replies)));
      for (const fault of together.faults) {
        if (!(fault instanceof Error) || !EXPECTED_FAULTS.has(fault.name)) throw fault;
      }
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MEMORY_LIMIT);
      expect(subject.openFiles()).toBe(0);
    };
    await search(fc.asyncProperty(requestsAbout(subject.known), trial), { short: 2, long: 120 });
  }, 300_000);
});
