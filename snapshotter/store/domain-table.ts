import { randomBytes } from 'node:crypto';
import type { Statement } from 'better-sqlite3';
import { Kind } from '../../proto/snapshots';
import type { Database } from './database';

/** Number of a domain. NO_DOMAIN, which is no row, stands for layers that share with nobody. */
export type DomainId = number & { readonly brand: 'DomainId' };

export const NO_DOMAIN = 0 as DomainId;

/**
 * A group of images that trust each other enough to share pages. A name that was rotated has had several, one after the
 * other: containers that run stay in the one that they started in.
 */
export interface Domain {
  readonly id: DomainId;
  /** As configured. Private, like the secret: containers must not learn it. */
  readonly name: string;
  /** Public random name (32 hexadecimal digits), seen by containers in mount tables; tells nothing about the domain. */
  readonly token: string;
  /** 32 random bytes. */
  readonly secret: Buffer;
}

type Row = Omit<Domain, 'id'> & { id: number };

const TOKEN_BYTES = 16;
const SECRET_BYTES = 32;

/** The domains that have been seen. */
export class DomainTable {
  readonly #byName: Statement<[string], Row>;
  readonly #byId: Statement<[number], Row>;
  readonly #all: Statement<[], Row>;
  readonly #insert: Statement<[string, string, Buffer]>;
  readonly #retire: Statement<[string]>;
  readonly #forgetAttachments: Statement<[string]>;
  readonly #forget: Statement<[string]>;

  constructor(database: Database) {
    const columns = 'SELECT id, name, token, secret FROM domains';
    this.#byName = database.prepare(`${columns} WHERE name = ? AND retired = 0`);
    this.#byId = database.prepare(`${columns} WHERE id = ?`);
    this.#all = database.prepare(`${columns} WHERE retired = 0 ORDER BY id`);
    this.#retire = database.prepare('UPDATE domains SET retired = 1 WHERE name = ?');
    const unused = `SELECT id FROM domains WHERE retired = 1
      AND id NOT IN (SELECT domain_id FROM snapshots WHERE kind <> ${Kind.COMMITTED})
      AND id NOT IN (SELECT domain_id FROM attachments WHERE id IN (SELECT value FROM json_each(?)))`;
    this.#forgetAttachments = database.prepare(`DELETE FROM attachments WHERE domain_id IN (${unused})`);
    this.#forget = database.prepare(`DELETE FROM domains WHERE id IN (${unused})`);
    this.#insert = database.prepare('INSERT INTO domains (name, token, secret) VALUES (?, ?, ?)');
  }

  /** The domain of this name, made with a fresh token and secret where it is new. */
  ensure(name: string): Domain {
    return this.find(name) ?? this.#make(name);
  }

  /** Gives a name a fresh token and secret. What is in the domain that it had stays there. */
  rotate(name: string): Domain {
    this.#retire.run(name);
    return this.#make(name);
  }

  /**
   * Deletes what was rotated away and no active snapshot or view is in, with its attachments. A domain of one in
   * `attached` (ids) stays.
   */
  forgetRetired(attached: readonly number[]): void {
    const ids = JSON.stringify(attached);
    this.#forgetAttachments.run(ids);
    this.#forget.run(ids);
  }

  #make(name: string): Domain {
    const token = randomBytes(TOKEN_BYTES).toString('hex');
    const secret = randomBytes(SECRET_BYTES);
    const { lastInsertRowid } = this.#insert.run(name, token, secret);
    return { id: Number(lastInsertRowid) as DomainId, name, token, secret };
  }

  /** The domain that bears the name now. */
  find(name: string): Domain | undefined {
    const row = this.#byName.get(name);
    return row === undefined ? undefined : fromRow(row);
  }

  get(id: DomainId): Domain | undefined {
    const row = this.#byId.get(id);
    return row === undefined ? undefined : fromRow(row);
  }

  /** Those that bear their names now. */
  list(): Domain[] {
    return this.#all.all().map(fromRow);
  }
}

function fromRow(row: Row): Domain {
  return { ...row, id: row.id as DomainId };
}
