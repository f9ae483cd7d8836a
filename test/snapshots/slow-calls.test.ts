import { Writable } from 'node:stream';
import { Server } from '@grpc/grpc-js';
import { createLogger, format, transports } from 'winston';
import { ImageBuilder } from '../../erofs/build-worker';
import { snapshotsService } from '../../proto/snapshots';
import { snapshotsHandlers } from '../../snapshotter/service';
import { slowCalls } from '../../snapshotter/slow-calls';
import { SocketServer } from '../../snapshotter/socket-server';
import { eventually } from '../../linux/testing/eventually';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { useSnapshotter } from '../harness/snapshotter-fixture';
import { silentLogger } from '../harness/snapshotter-server';

const here = useSnapshotter();

test('calls that wait for a build are noticed, with what they wait for, and their end', async () => {
  await using real = new ImageBuilder({ concurrency: 1 });
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  await here.start({ builder: { build: (request) => gate.then(() => real.build(request)) } });
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(JSON.parse(line.toString()) as Record<string, unknown>);
      done();
    },
  });
  // winston types its transports as interfaces beside the class that it demands here.
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
  const logger = createLogger({ format: format.json(), transports: [new transports.Stream({ stream })] });
  using watch = slowCalls({ logger, thresholdMs: 20, commitThresholdMs: 20 });
  const server = new Server();
  server.addService(snapshotsService(), snapshotsHandlers(here.parts.snapshots, silentLogger, watch));
  await using listening = await SocketServer.listen(here.scratch.in('run', 'watched.sock'), server);
  using client = new SnapshotsConnection(listening.path);

  await client.prepare('key');
  const commit = client.commit('name', 'key');
  await eventually('the commit is slow', () => watch.slow === 1);
  const removal = client.remove('name');
  await eventually('the removal is slow', () => watch.slow === 2);
  release();
  await Promise.all([commit, removal]);
  expect(watch.slow).toBe(0);
  expect([...watch.underWay()]).toEqual([]);
  // On a busy machine the first call may have been slow, too.
  expect(lines.filter(({ method }) => method !== 'Prepare')).toMatchObject([
    { level: 'warn', method: 'Commit', keys: ['key', 'name'], behind: [] },
    { level: 'warn', method: 'Remove', keys: ['name'], behind: ['Commit'] },
    { level: 'info', method: 'Commit' },
    { level: 'info', method: 'Remove' },
  ]);
});
