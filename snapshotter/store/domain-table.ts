import { randomBytes } from 'node:crypto';
import type { Statement } from 'better-sqlite3';
import type { Database } from './database';

/** Number of a domain. NO_DOMAIN, which is no row, stands for layers that share with nobody. */
export type DomainId = number & { readonly brand: 'DomainId' };

export const NO_DOMAIN = 0 as DomainId;

/** A group of images that trust each other enough to share pages. */
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

  constructor(database: Database) {
    const columns = 'SELECT id, name, token, secret FROM domains';
    this.#byName = database.prepare(`${columns} WHERE name = ?`);
    this.#byId = database.prepare(`${columns} WHERE id = ?`);
    this.#all = database.prepare(`${columns} ORDER BY id`);
    this.#insert = database.prepare('INSERT INTO domains (name, token, secret) VALUES (?, ?, ?)');
  }

  /** The domain of this name, made with a fresh token and secret where it is new. */
  ensure(name: string): Domain {
    const known = this.find(name);
    if (known !== undefined) return known;
    const token = randomBytes(TOKEN_BYTES).toString('hex');
    const secret = randomBytes(SECRET_BYTES);
    const { lastInsertRowid } = this.#insert.run(name, token, secret);
    return { id: Number(lastInsertRowid) as DomainId, name, token, secret };
  }

  find(name: string): Domain | undefined {
    const row = this.#byName.get(name);
    return row === undefined ? undefined : fromRow(row);
  }

  get(id: DomainId): Domain | undefined {
    const row = this.#byId.get(id);
    return row === undefined ? undefined : fromRow(row);
  }

  list(): Domain[] {
    return this.#all.all().map(fromRow);
  }
}

function fromRow(row: Row): Domain {
  return { ...row, id: row.id as DomainId };
}
