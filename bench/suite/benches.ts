import type { Bench } from '../run/bench';
import { memoryReading } from './memory-reading';

/** Everything that `npm run bench` measures, in this order. */
export const BENCHES: readonly Bench[] = [memoryReading];
