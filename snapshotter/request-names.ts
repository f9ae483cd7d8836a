import { quoted } from '../ishare/admin/request-fields';
import { InvalidArgumentError } from './errors';

/** Bytes of a key or name. containerd's own are "NAMESPACE/NUMBER/KEY", where KEY is a digest or a container's id. */
const MAX_NAME_BYTES = 4096;
/** Characters of a request that the log repeats. */
const BRIEF_CHARACTERS = 2000;

/** Keys and names that a request of the snapshots service is about: calls that share one wait for each other. */
export function namesIn(request: unknown): string[] {
  return [...textIn(request, 'key'), ...textIn(request, 'name'), ...textIn(field(request, 'info'), 'name')];
}

/** Throws InvalidArgumentError where a request names a snapshot by a text that is too long for a name. */
export function checkNames(request: unknown): void {
  for (const name of [...namesIn(request), ...textIn(request, 'parent')]) {
    const bytes = Buffer.byteLength(name);
    if (bytes <= MAX_NAME_BYTES) continue;
    throw new InvalidArgumentError(
      `${quoted(name)} cannot be a snapshot: it has ${bytes} bytes, more than ${MAX_NAME_BYTES}`,
    );
  }
}

function textIn(message: unknown, name: string): string[] {
  const value = field(message, name);
  return typeof value === 'string' && value !== '' ? [value] : [];
}

function field(message: unknown, name: string): unknown {
  return typeof message === 'object' && message !== null ? Reflect.get(message, name) : undefined;
}

/** A request for the log: as it is, or the beginning of its text where that is long. */
export function brief(request: unknown): unknown {
  const text = JSON.stringify(request);
  return text.length <= BRIEF_CHARACTERS ? request : `${text.slice(0, BRIEF_CHARACTERS)}...`;
}
