import fs, { existsSync } from 'node:fs';
import { getSystemErrorMap } from 'node:util';
import { errno, type ErrnoName } from '../../linux/errno';

/**
 * Makes file operations of a process fail, or kills the process at one of them. To be loaded first (`node --require`), which
 * Node repeats in every worker thread, with the path of a plan in ISHARE_TEST_FAULTS. As long as there is a plan, each
 * operation of any thread is one point; that with the number in the plan is where it happens.
 */

/** What shall happen at one point. */
export interface FaultPlan {
  /** The first point has number 1. */
  readonly point: number;
  /** Errno name of the failure, or that the process ends as `kill -9` ends it, before the operation. */
  readonly fault: ErrnoName | 'kill';
  /** Whether everything fails from there on. */
  readonly lasting?: boolean;
}

/** What file operations change a file, or make changes last. */
const CHANGES = {
  sync: ['writeSync', 'fsyncSync', 'fdatasyncSync', 'ftruncateSync', 'renameSync', 'linkSync', 'mkdirSync'],
  promises: ['mkdir', 'rename', 'link', 'chmod', 'chown', 'rm', 'writeFile'],
  handle: ['sync', 'chmod', 'write', 'datasync', 'truncate'],
} as const;

/** What only reads, or opens: nothing is lost there, but it may fail. */
const READS = {
  sync: ['openSync', 'readSync', 'readdirSync', 'lstatSync', 'fstatSync'],
  promises: ['open', 'lstat', 'readdir'],
  handle: ['read', 'stat'],
} as const;

/** Length of a record in the journal (bytes), so that its size counts the points of all threads. */
const RECORD = 64;

/** What the points themselves need. */
const { openSync, writeSync, closeSync, fstatSync, readFileSync, unlinkSync } = fs;

function journalOf(plan: string): string {
  return `${plan}.journal`;
}

/** Begins to count points from 1. */
export function arm(path: string, plan: FaultPlan): void {
  fs.writeFileSync(journalOf(path), '');
  fs.writeFileSync(`${path}.new`, JSON.stringify(plan));
  fs.renameSync(`${path}.new`, path);
}

/** Ends the counting. Returns the points that were passed, by the operations at them. */
export function disarm(path: string): string[] {
  unlinkSync(path);
  return passedPoints(path);
}

/** The operations so far, also of a process that was killed. */
export function passedPoints(path: string): string[] {
  const journal = readFileSync(journalOf(path), 'latin1');
  return Array.from({ length: journal.length / RECORD }, (_, index) =>
    journal.slice(index * RECORD, (index + 1) * RECORD).trim(),
  );
}

/** Counts one operation. Throws what `failure` makes of the planned error where it is the one. */
export function passPoint(
  operation: string,
  subject: unknown,
  failure: (code: ErrnoName) => Error = (code) => nodeError(code, operation, subject),
): void {
  const path = process.env['ISHARE_TEST_FAULTS'];
  if (path === undefined || !existsSync(path)) return;
  const plan = JSON.parse(readFileSync(path, 'utf8')) as FaultPlan;
  if (plan.fault === 'kill' && isRead(operation)) return;
  const fd = openSync(journalOf(path), 'a');
  const shown = typeof subject === 'string' || Buffer.isBuffer(subject) ? subject.toString() : '';
  writeSync(fd, `${operation} ${shown}`.slice(0, RECORD - 1).padEnd(RECORD - 1) + '\n', null, 'latin1');
  const point = fstatSync(fd).size / RECORD;
  closeSync(fd);
  if (plan.lasting === true ? point < plan.point : point !== plan.point) return;
  if (plan.fault === 'kill') process.kill(process.pid, 'SIGKILL');
  else throw failure(plan.fault);
}

function isRead(operation: string): boolean {
  return Object.values(READS).some((names: readonly string[]) => names.includes(operation));
}

/** An error as Node's own file operations make it: those on descriptors say no path. */
function nodeError(code: ErrnoName, operation: string, subject: unknown): Error {
  const syscall = operation.replace(/Sync$/, '');
  const number = -errno[code];
  const [, description] = getSystemErrorMap().get(number) ?? [code, code];
  const path = typeof subject === 'string' || Buffer.isBuffer(subject) ? subject.toString() : undefined;
  const message = `${code}: ${description}, ${syscall}${path === undefined ? '' : ` '${path}'`}`;
  return Object.assign(new Error(message), { code, errno: number, syscall, ...(path && { path }) });
}

type Operation = (this: unknown, ...args: unknown[]) => unknown;

/** Puts a point in front of operations of an object. */
function watch(owner: object, operations: readonly string[], asynchronous: boolean): void {
  const table = owner as Record<string, Operation>;
  for (const name of operations) {
    const operation = table[name];
    if (operation === undefined) throw new Error(`there is no ${name}`);
    table[name] = asynchronous
      ? async function (...args) {
          // Methods of a file handle say no path.
          passPoint(name, this === undefined || this === owner ? args[0] : undefined);
          return await operation.apply(this, args);
        }
      : function (...args) {
          passPoint(name, args[0]);
          return operation.apply(this, args);
        };
  }
}

/** The class of file handles is reached through the first of them. */
function watchHandles(): void {
  const { open } = fs.promises;
  let watched = false;
  fs.promises.open = async (...args) => {
    const handle = await open(...args);
    if (!watched) {
      watched = true;
      watch(Object.getPrototypeOf(handle) as object, [...CHANGES.handle, ...READS.handle], true);
    }
    return handle;
  };
}

if (process.env['ISHARE_TEST_FAULTS'] !== undefined) {
  watchHandles();
  watch(fs, [...CHANGES.sync, ...READS.sync], false);
  watch(fs.promises, [...CHANGES.promises, ...READS.promises], true);
}
