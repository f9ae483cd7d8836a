import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import type { ImageTrust } from '../../ishare/image-trust';
import { eventually } from '../../linux/testing/eventually';

export interface StoredTrust {
  readonly trust: ImageTrust;
  readonly reason: string;
}

/** What a daemon with this root directory has stored of a committed layer, by the end of its name. */
export function storedTrust(root: string, name: string): StoredTrust | undefined {
  const database = new SqliteDatabase(join(root, 'metadata.db'), { readonly: true });
  try {
    return database
      .prepare<[string], StoredTrust>(
        `SELECT trust, trust_reason AS reason FROM snapshots WHERE kind = 3 AND key LIKE '%/' || ?`,
      )
      .get(name);
  } finally {
    database.close();
  }
}

/** Waits for the end of a layer's verification. */
export async function verificationEnds(root: string, name: string): Promise<StoredTrust> {
  await eventually(`${name} has a verdict`, () => {
    const stored = storedTrust(root, name);
    return stored !== undefined && stored.trust !== 'unverified';
  });
  return storedTrust(root, name)!;
}
