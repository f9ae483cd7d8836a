import { Client, credentials } from '@grpc/grpc-js';
import fc from 'fast-check';
import { Type, type Field } from 'protobufjs/light';
import { adminService } from '../../../proto/admin';
import { loadDefinitions } from '../../../proto/load';
import { search } from '../search';
import { FuzzedDaemon } from './fuzzed-daemon';
import { MEANINGFUL } from './hostile-texts';
import { rawCall } from './raw-call';

/** How long one call may take; streams that go on for ever are given up after it (ms). */
const DEADLINE_MS = 2_000;

/** What requests may be answered with; UNAVAILABLE and UNKNOWN would be a server that broke, INTERNAL a fault in it. */
const ANSWERS = [
  'OK',
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'FAILED_PRECONDITION',
  'UNIMPLEMENTED',
  'RESOURCE_EXHAUSTED',
];

type Method = ReturnType<typeof adminService>[string];

function fieldsOf(method: Method): readonly Field[] {
  const { service, name } = /^\/(?<service>.+)\/(?<name>.+)$/.exec(method.path)!.groups!;
  return loadDefinitions('admin.proto').lookupService(service!).methods[name!]!.resolvedRequestType!
    .fieldsArray;
}

const texts = fc.oneof(
  fc.constantFrom<string>(...MEANINGFUL),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(4096, 4097, 1 << 20).map((length) => 'x'.repeat(length)),
  // What is looked for by its form: fingerprints and paths.
  fc.stringMatching(/^(sha256:)?[0-9a-f]{0,64}$/),
  fc.stringMatching(/^(\/[a-z.]{0,5}){0,4}$/),
);
const numbers = fc.oneof(
  fc.nat({ max: 10 }),
  fc.constantFrom(-1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 53 - 1),
);

function valueOf({ type, resolvedType }: Field): fc.Arbitrary<unknown> {
  if (resolvedType instanceof Type) return fc.constant({});
  switch (type) {
    case 'string':
      return texts;
    case 'bytes':
      return fc.uint8Array({ maxLength: 100 }).map((noise) => Buffer.from(noise));
    case 'bool':
      return fc.boolean();
    default:
      return numbers;
  }
}

function requestOf(method: Method): fc.Arbitrary<Record<string, unknown>> {
  const fields = fieldsOf(method).map((field) => {
    const value = valueOf(field);
    return [field.name, field.repeated ? fc.array(value, { maxLength: 5 }) : value] as const;
  });
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
}

test('hostile values in every field of every admin request are answered, and the daemon goes on', async () => {
  await using daemon = await FuzzedDaemon.start();
  const client = new Client(`unix:${daemon.place.flags['admin-address']}`, credentials.createInsecure());
  try {
    await daemon.client.prepare('key');
    await daemon.client.commit('layer', 'key');
    await daemon.client.prepare('running', 'layer');
    const methods = Object.values(adminService());
    const calls = fc
      .constantFrom(...methods)
      .chain((method) => fc.record({ method: fc.constant(method), request: requestOf(method) }));
    const trial = async ({ method, request }: { method: Method; request: unknown }): Promise<void> => {
      const answers = method.responseStream ? [...ANSWERS, 'DEADLINE_EXCEEDED'] : ANSWERS;
      const answer = await rawCall(client, method, request, DEADLINE_MS);
      expect(answers).toContain(answer);
      expect(await daemon.client.list()).toHaveLength(2);
    };
    await search(fc.asyncProperty(calls, trial), { short: 2, long: 120 });
  } finally {
    client.close();
  }
  expect(await daemon.complaints()).toEqual([]);
}, 300_000);
