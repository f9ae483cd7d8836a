import type { Bench } from '../run/bench';
import { containers } from './containers';
import { memoryReading } from './memory-reading';
import { speedFiles } from './speed-files';
import { speedFio } from './speed-fio';

/** Everything that `npm run bench` measures, in this order. */
export const BENCHES: readonly Bench[] = [memoryReading, speedFiles, speedFio, containers];
