import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { listenerOf } from './socket-listener';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'listener-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

test('it is the process that listens', async () => {
  const socket = path.join(directory, 's');
  const server = createServer();
  await new Promise<void>((done) => server.listen(socket, done));
  try {
    expect(listenerOf(socket)).toBe(process.pid);
  } finally {
    server.close();
  }
});

test('a path without a socket is an error', () => {
  expect(() => listenerOf(path.join(directory, 'missing'))).toThrow(/ENOENT/);
});
