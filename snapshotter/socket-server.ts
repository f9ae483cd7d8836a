import { chmod, lstat, mkdir, mkdtemp, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { errorCode } from '../linux/errno';
import { isDying } from '../linux/process-stat';
import { listenerOf } from '../linux/socket-listener';

/** sun_path of struct sockaddr_un has 108 bytes, the closing NUL included (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107;
const SOCKET_MODE = 0o600;
const DIRECTORY_MODE = 0o711;
const DEFAULT_DRAIN_MS = 5_000;

/** Why a socket could not be opened. */
export type SocketProblem = 'in-use' | 'not-a-socket' | 'path-too-long';

export class SocketError extends Error {
  override readonly name = 'SocketError';

  constructor(
    readonly problem: SocketProblem,
    message: string,
  ) {
    super(message);
  }
}

/**
 * A gRPC server on a unix socket that only its owner may use. The path appears once the server answers on it, and
 * replaces a socket that nobody answers on any more.
 */
export class SocketServer implements AsyncDisposable {
  readonly path: string;
  readonly #server: Server;
  /** Inode of the socket, by which close() knows that the path is still this server's. */
  readonly #inode: number;
  #closing: Promise<void> | undefined;

  private constructor(path: string, server: Server, inode: number) {
    this.path = path;
    this.#server = server;
    this.#inode = inode;
  }

  /**
   * Serves `server`, whose services were added, on `path`; a missing directory is made (mode 0711). Rejects with a
   * SocketError where a server answers on the path, something other than a socket lies there, or the path is too
   * long. The server belongs to the result then, and to the caller otherwise.
   */
  static async listen(path: string, server: Server): Promise<SocketServer> {
    const target = resolve(path);
    const directory = dirname(target);
    await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
    checkLength(target);
    await assertVacant(target);
    // Nobody else can enter the temporary directory, so the socket is never reachable with the umask's mode.
    const temporary = await mkdtemp(`${directory}/.`);
    try {
      const socket = join(temporary, 's');
      checkLength(socket);
      await bind(server, socket);
      await chmod(socket, SOCKET_MODE);
      const { ino } = await lstat(socket);
      await rename(socket, target);
      return new SocketServer(target, server, ino);
    } catch (error) {
      server.forceShutdown();
      throw error;
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }

  /** Takes the path away, lets calls in progress end for up to `drainMs` milliseconds, then cuts them off. */
  close(drainMs = DEFAULT_DRAIN_MS): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(drainMs: number): Promise<void> {
    await this.#unlink();
    await new Promise<void>((done) => {
      const limit = setTimeout(() => {
        this.#server.forceShutdown();
        // Where a connection broke at the wrong moment grpc-js never calls back.
        done();
      }, drainMs);
      this.#server.tryShutdown(() => {
        clearTimeout(limit);
        done();
      });
    });
  }

  async #unlink(): Promise<void> {
    const present = await lstatOrAbsent(this.path);
    // Another server may have replaced the socket; then the path is that one's.
    if (present?.ino === this.#inode) await unlink(this.path);
  }
}

function checkLength(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_SOCKET_PATH_BYTES) return;
  throw new SocketError(
    'path-too-long',
    `${path} has ${bytes} bytes; the path of a unix socket has at most ${MAX_SOCKET_PATH_BYTES}`,
  );
}

async function assertVacant(path: string): Promise<void> {
  const present = await lstatOrAbsent(path);
  if (present === undefined) return;
  if (!present.isSocket()) throw new SocketError('not-a-socket', `${path} exists and is not a socket`);
  if (answers(path)) throw new SocketError('in-use', `${path}: a server answers on this socket already`);
}

async function lstatOrAbsent(path: string): Promise<{ ino: number; isSocket(): boolean } | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Whether somebody lives behind a socket. The kernel connects to any that is open, also to one of a process that was killed and
 * cannot end: see tryLockFile.
 */
function answers(path: string): boolean {
  try {
    return !isDying(listenerOf(path));
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return false;
    // The queue of a listening socket is full.
    if (code === 'EAGAIN') return true;
    throw error;
  }
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((done, reject) => {
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) done();
      else reject(error);
    });
  });
}
