import { CacheBudget } from '../cache-budget';
import { Decoder } from './decoder';

/** Room for one of the largest extents and some more (bytes). */
const DEFAULT_BUDGET = 16 * 1024 * 1024;

/**
 * What decoding takes, in one hand: threads and memory. Images of one process should share one, since each lets a few
 * decodes run at a time and holds decoded pclusters up to its budget.
 */
export class Decoding {
  readonly decoder = new Decoder();

  /** `budget` holds decoded pclusters. Extents decode to 12 MiB at most; one above its limit is not kept. */
  constructor(readonly budget = new CacheBudget(DEFAULT_BUDGET)) {}
}
