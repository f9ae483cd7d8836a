import { LONG } from '../../linux/testing/long-trials';

/** How long the soak goes on, checks included (seconds). */
export const SOAK_SECONDS = Number(process.env['ISHARE_SOAK_SECONDS'] ?? (LONG ? 3600 : 45));

/** The long tier takes another each time. */
export const SOAK_SEED = Number(process.env['ISHARE_SOAK_SEED'] ?? (LONG ? Date.now() % 2 ** 31 : 1));

/** A round begins with nothing, has so many actions, and ends with nothing. */
export const ACTIONS_OF_A_ROUND = SOAK_SECONDS < 300 ? 14 : 50;
