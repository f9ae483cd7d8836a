import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import type { Negotiated } from '../../fuse/negotiation';
import type { CapabilityName } from '../../fuse/protocol/flags';
import { errorCode } from '../../linux/errno';
import type { HolderIdentity } from './holder';

/** Of the file and of what it says about the journal. */
const STATE_VERSION = 1;

const negotiated = z.object({
  minor: z.int(),
  capabilities: z.array(z.string()),
  maxReadahead: z.int(),
});

const stateSchema = z.object({
  version: z.literal(STATE_VERSION),
  /** The program that wrote it; for messages. */
  program: z.string(),
  bootId: z.string(),
  holder: z.object({ pid: z.int().min(1), startTime: z.string() }),
  images: negotiated,
  ishare: negotiated,
  answered: z.boolean().default(false),
});

/** What the next daemon must know to go on serving the mounts of this one. */
export interface TakeoverState {
  readonly program: string;
  readonly holder: HolderIdentity;
  /** What was agreed with the kernel on each connection: it asks only once. */
  readonly images: Negotiated;
  readonly ishare: Negotiated;
  /** Its daemon stopped by itself and left no request without an answer. */
  readonly answered: boolean;
}

/** Whether the kernel can be asked again for what an earlier daemon read and did not answer (Linux 6.9). */
export function canResend({ images, ishare }: TakeoverState): boolean {
  return [images, ishare].every(({ capabilities }) => capabilities.has('HAS_RESEND'));
}

/** Mounts are there that this program does not know how to serve. */
export class TakeoverRefusedError extends Error {
  override readonly name = 'TakeoverRefusedError';
}

export function journalPath(directory: string): string {
  return path.join(directory, 'takeover.journal');
}

function statePath(directory: string): string {
  return path.join(directory, 'takeover.json');
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
}

/** Stores the state, whole or not at all. It is of no use after a reboot, so it is not flushed. */
export async function writeTakeoverState(directory: string, state: TakeoverState): Promise<void> {
  const text = JSON.stringify({
    version: STATE_VERSION,
    program: state.program,
    bootId: await bootId(),
    holder: state.holder,
    images: { ...state.images, capabilities: [...state.images.capabilities] },
    ishare: { ...state.ishare, capabilities: [...state.ishare.capabilities] },
    answered: state.answered,
  });
  const temporary = `${statePath(directory)}.${randomBytes(4).toString('hex')}`;
  await writeFile(temporary, `${text}\n`, { mode: 0o600 });
  await rename(temporary, statePath(directory));
}

/**
 * The state that an earlier daemon left, or undefined where there is none from since the machine was started. Throws
 * TakeoverRefusedError for one that a later version of this program wrote.
 */
export async function readTakeoverState(directory: string): Promise<TakeoverState | undefined> {
  const value = await readJson(statePath(directory));
  const version = z.object({ version: z.int(), program: z.string().optional() }).safeParse(value);
  if (version.success && version.data.version > STATE_VERSION) {
    throw new TakeoverRefusedError(
      `${statePath(directory)}: the mounts are those of ishare-snapshotter ${version.data.program ?? ''}, ` +
        `whose state has version ${version.data.version}; this program knows ${STATE_VERSION}. Start that program, ` +
        'or stop all containers of this snapshotter and unmount',
    );
  }
  const state = stateSchema.safeParse(value);
  if (!state.success || state.data.bootId !== (await bootId())) return undefined;
  const { program, holder, images, ishare, answered } = state.data;
  return { program, holder, images: decoded(images), ishare: decoded(ishare), answered };
}

export async function removeTakeoverState(directory: string): Promise<void> {
  await rm(statePath(directory), { force: true });
  await rm(journalPath(directory), { force: true });
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    // Half a file is no state: nobody but a crash of the whole machine leaves one.
    if (error instanceof SyntaxError || isMissing(error)) return undefined;
    throw error;
  }
}

function decoded({ minor, capabilities, maxReadahead }: z.infer<typeof negotiated>): Negotiated {
  return { minor, capabilities: new Set(capabilities as CapabilityName[]), maxReadahead };
}

/** Also below what is no directory there is no file. */
function isMissing(error: unknown): boolean {
  return errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR';
}
