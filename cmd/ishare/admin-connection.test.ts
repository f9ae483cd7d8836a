import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { adminService, type AdminHandlers } from '../../proto/admin';
import type { InodeState } from '../../proto/admin-messages';
import { AdminConnection } from './admin-connection';
import { CommandError } from './command-error';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'ishare-admin-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

const inode = (index: number): InodeState => ({
  fingerprint: `sha256:${index.toString(16).padStart(64, '0')}`,
  domain: 'a-domain',
  size: index,
  images: 2,
  open_files: 1,
  cached_bytes: 4096,
  saved_bytes: 4096,
});

const INODES = 100_000;

/** A server with answers of its own: what is tested is the connection. */
async function serve(socket: string): Promise<Server> {
  const server = new Server();
  const handlers = {
    Status: (_call, callback) => callback({ code: status.INTERNAL, details: 'what went wrong' }),
    ListDomains: (_call, callback) => callback(null, { domains: [] }),
    ListInodes: (_call, callback) =>
      callback(null, { inodes: Array.from({ length: INODES }, (_, index) => inode(index)) }),
    ListImages: (_call, callback) => callback(null, { images: [] }),
    ReloadConfig: (_call, callback) => callback(null, { waiting_for_restart: [] }),
  } satisfies Partial<AdminHandlers>;
  server.addService(adminService(), handlers);
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  );
  return server;
}

async function failureOf(work: Promise<unknown>): Promise<CommandError> {
  const caught = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(caught).toBeInstanceOf(CommandError);
  return caught as CommandError;
}

test('a list of a hundred thousand inodes arrives whole', async () => {
  const socket = path.join(directory, 's');
  const server = await serve(socket);
  try {
    using connection = new AdminConnection(socket);
    const { inodes } = await connection.call<{ inodes: InodeState[] }>((client, ...rest) =>
      client.ListInodes({}, ...rest),
    );
    expect(inodes).toHaveLength(INODES);
    expect(inodes.at(-1)).toEqual(inode(INODES - 1));
  } finally {
    server.forceShutdown();
  }
});

test('what the daemon answers as an error is told in its own words', async () => {
  const socket = path.join(directory, 's');
  const server = await serve(socket);
  try {
    using connection = new AdminConnection(socket);
    const call = connection.call((client, ...rest) => client.Status({}, ...rest));
    expect((await failureOf(call)).message).toBe('what went wrong');
  } finally {
    server.forceShutdown();
  }
});

test('where nobody answers, the socket is named', async () => {
  const socket = path.join(directory, 'nobody');
  using connection = new AdminConnection(socket);
  const call = connection.call((client, ...rest) => client.ListDomains({}, ...rest));
  expect((await failureOf(call)).message).toContain(`no daemon answers on ${socket}`);
});

test('a server that speaks no gRPC is not waited for', async () => {
  const socket = path.join(directory, 's');
  const server = createServer((connection) => connection.end('220 mail ready\r\n'));
  server.listen(socket);
  await once(server, 'listening');
  using connection = new AdminConnection(socket);
  const call = connection.call((client, ...rest) => client.ListDomains({}, ...rest));
  expect((await failureOf(call)).message).toContain(socket);
  server.close();
});
