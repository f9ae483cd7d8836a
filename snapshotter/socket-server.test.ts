import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  type Client,
  credentials,
  makeGenericClientConstructor,
  Server,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { SocketError, SocketServer } from './socket-server';

const bytes = { serialize: (value: Buffer): Buffer => value, deserialize: (value: Buffer): Buffer => value };
const echoService: ServiceDefinition = {
  Echo: {
    path: '/test.Echo/Echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes.serialize,
    requestDeserialize: bytes.deserialize,
    responseSerialize: bytes.serialize,
    responseDeserialize: bytes.deserialize,
  },
};

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ishare-socket-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Answers with its own name, `delayMs` after a call; `onCall` is told of each. */
function echoServer(name: string, delayMs = 0, onCall = (): void => undefined): Server {
  const server = new Server();
  server.addService(echoService, {
    Echo: (_call: unknown, callback: (error: null, answer: Buffer) => void) => {
      onCall();
      setTimeout(() => {
        callback(null, Buffer.from(name));
      }, delayMs).unref();
    },
  });
  return server;
}

async function ask(path: string): Promise<string> {
  const EchoClient = makeGenericClientConstructor(echoService, 'Echo');
  const client = new EchoClient(`unix:${path}`, credentials.createInsecure()) as unknown as Client & {
    Echo: (request: Buffer, options: object, callback: (error: Error | null, answer: Buffer) => void) => void;
  };
  try {
    return await new Promise((resolve, reject) => {
      client.Echo(Buffer.from('?'), { deadline: Date.now() + 10_000 }, (error, answer) => {
        if (error === null) resolve(answer.toString());
        else reject(error);
      });
    });
  } finally {
    client.close();
  }
}

async function problemOf(path: string): Promise<string> {
  const server = echoServer('refused');
  try {
    await SocketServer.listen(path, server);
  } catch (error) {
    server.forceShutdown();
    if (error instanceof SocketError) return error.problem;
    throw error;
  }
  throw new Error('it listens');
}

test('the socket answers, is for its owner alone, and nothing else is left beside it', async () => {
  const path = join(directory, 'a.sock');
  await using _server = await SocketServer.listen(path, echoServer('first'));
  expect(await ask(path)).toBe('first');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(['a.sock']);
});

test('a missing directory is made, closed to others but for passing through', async () => {
  const path = join(directory, 'run', 'a.sock');
  await using _server = await SocketServer.listen(path, echoServer('first'));
  expect(await ask(path)).toBe('first');
  expect((await stat(join(directory, 'run'))).mode & 0o066).toBe(0);
});

test('closing takes the socket away, and may happen twice', async () => {
  const path = join(directory, 'a.sock');
  const server = await SocketServer.listen(path, echoServer('first'));
  await Promise.all([server.close(), server.close()]);
  expect(await readdir(directory)).toEqual([]);
});

test('a call in progress is answered while the server closes', async () => {
  const path = join(directory, 'a.sock');
  let called = (): void => undefined;
  const inProgress = new Promise<void>((resolve) => (called = resolve));
  const server = await SocketServer.listen(
    path,
    echoServer('slow', 200, () => {
      called();
    }),
  );
  const answer = ask(path);
  await inProgress;
  await server.close();
  expect(await answer).toBe('slow');
});

test('a call that does not end is cut off at the limit', async () => {
  const path = join(directory, 'a.sock');
  let called = (): void => undefined;
  const inProgress = new Promise<void>((resolve) => (called = resolve));
  const server = await SocketServer.listen(
    path,
    echoServer('never', 60_000, () => {
      called();
    }),
  );
  const answer = expect(ask(path)).rejects.toThrow();
  await inProgress;
  await server.close(50);
  await answer;
});

test('a path where a server answers is in use, and that server goes on', async () => {
  const path = join(directory, 'a.sock');
  await using _server = await SocketServer.listen(path, echoServer('first'));
  expect(await problemOf(path)).toBe('in-use');
  expect(await ask(path)).toBe('first');
});

test('a socket that nobody answers on is replaced', async () => {
  const path = join(directory, 'a.sock');
  const leave = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await promisify(execFile)(process.execPath, ['-e', leave]).catch((error: unknown) => {
    expect(error).toMatchObject({ signal: 'SIGKILL' });
  });
  expect((await stat(path)).isSocket()).toBe(true);
  await using _server = await SocketServer.listen(path, echoServer('second'));
  expect(await ask(path)).toBe('second');
});

test('the socket of a server that took over is not removed by the one before', async () => {
  const path = join(directory, 'a.sock');
  const first = await SocketServer.listen(path, echoServer('first'));
  await unlink(path);
  await using _second = await SocketServer.listen(path, echoServer('second'));
  await first.close();
  expect(await ask(path)).toBe('second');
});

test('something that is no socket is left alone', async () => {
  const path = join(directory, 'file');
  await writeFile(path, 'precious');
  expect(await problemOf(path)).toBe('not-a-socket');
  expect(await problemOf(directory)).toBe('not-a-socket');
});

test('a path of 107 bytes works, one of 108 is refused as too long', async () => {
  const room = 107 - Buffer.byteLength(directory) - 1;
  const longest = join(directory, 's'.repeat(room));
  await using _server = await SocketServer.listen(longest, echoServer('long'));
  expect(await ask(longest)).toBe('long');
  expect(await problemOf(`${longest}x`)).toBe('path-too-long');
  await mkdir(join(directory, 'd'.repeat(room)));
  expect(await problemOf(join(directory, 'd'.repeat(room), 's'))).toBe('path-too-long');
});

test('a server that never says that it has shut down keeps nobody waiting', async () => {
  // As that of grpc-js does now and then where a connection breaks while it is being set up.
  class SilentServer extends Server {
    override tryShutdown(): void {
      this.forceShutdown();
    }
  }
  const server = await SocketServer.listen(join(directory, 's.sock'), new SilentServer());
  await server.close(50);
  expect(await readdir(directory)).toEqual([]);
});
