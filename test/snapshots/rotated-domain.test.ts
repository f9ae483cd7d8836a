import { eventually } from '../../linux/testing/eventually';
import { useSnapshotter } from '../harness/snapshotter-fixture';
import { readRows } from '../harness/database-rows';

const here = useSnapshotter();

beforeEach(async () => {
  await here.start({ domainFor: () => ({ domain: 'team', rule: 'of the test', refused: undefined }) });
  await here.commitLayer('base');
});

test('a domain that was rotated away is forgotten as soon as the last layer in it is detached', async () => {
  await here.client.prepare('before', 'base');
  here.parts.store.domains.rotate('team');
  await here.client.prepare('after', 'base');
  here.parts.snapshots.forgetRetiredDomains();
  expect(readRows(here.paths.database)).toMatchObject({ retired: 1, attachments: 2 });
  await here.client.remove('before');
  // It may still be attached, so it is known still.
  here.parts.snapshots.forgetRetiredDomains();
  await eventually('it is forgotten', () => readRows(here.paths.database).retired === 0);
  expect(readRows(here.paths.database)).toMatchObject({ domains: ['team'], attachments: 1 });
  expect(here.parts.layers.mounted).toHaveLength(1);
});

test('a domain in which nothing was attached is forgotten at once', () => {
  here.parts.store.domains.ensure('team');
  here.parts.store.domains.rotate('team');
  here.parts.snapshots.forgetRetiredDomains();
  expect(readRows(here.paths.database)).toMatchObject({ domains: ['team'], retired: 0 });
});
