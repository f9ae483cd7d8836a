import { AttachmentTable } from './attachment-table';
import { Database } from './database';
import { DomainTable } from './domain-table';
import { MergedImageTable } from './merged-image-table';
import { SnapshotTable } from './snapshot-table';

/** The tables over one open database. Only one process may have it open: the tables hand out numbers from memory. */
export class MetadataStore implements Disposable {
  readonly #database: Database;
  readonly snapshots: SnapshotTable;
  readonly domains: DomainTable;
  readonly attachments: AttachmentTable;
  readonly mergedImages: MergedImageTable;

  private constructor(database: Database) {
    this.#database = database;
    this.snapshots = new SnapshotTable(database);
    this.domains = new DomainTable(database);
    this.attachments = new AttachmentTable(database);
    this.mergedImages = new MergedImageTable(database);
  }

  /** Opens `path`, creating it where it is missing. Throws what Database.open throws. */
  static open(path: string): MetadataStore {
    return new MetadataStore(Database.open(path));
  }

  /** All of `work` or nothing; on disk when this returns. */
  transaction<Result>(work: () => Result): Result {
    return this.#database.transaction(work);
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}
