import { beginEngineThread } from '../../ishare/worker/engine-thread';

/** It loads its modules while this thread loads those of the rest: to be imported before all others. */
export const earlyEngineThread = beginEngineThread();
