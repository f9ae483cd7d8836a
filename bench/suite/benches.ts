import type { Bench } from '../run/bench';
import { containers } from './containers';
import { imports } from './imports';
import { load } from './load';
import { memoryReading } from './memory-reading';
import { memoryRunning } from './memory-running';
import { scaleContainers } from './scale-containers';
import { scaleEngine } from './scale-engine';
import { speedFiles } from './speed-files';
import { speedFio } from './speed-fio';

/** Everything that `npm run bench` measures, in this order. */
export const BENCHES: readonly Bench[] = [
  memoryReading,
  memoryRunning,
  speedFiles,
  speedFio,
  imports,
  containers,
  scaleEngine,
  scaleContainers,
  load,
];
