import { endHolder } from '../../ishare/takeover/holder';
import { readTakeoverState } from '../../ishare/takeover/takeover-state';

/** Ends the process that keeps a killed daemon's connections alive for the next one, where `state` tells of one. */
export async function endRecordedHolder(state: string): Promise<void> {
  const recorded = await readTakeoverState(state);
  if (recorded !== undefined) await endHolder(recorded.holder);
}
