/** What a finding is about, in the order in which they are told. */
export const AREAS = ['kernel', 'storage', 'daemon', 'mounts', 'database', 'files', 'images'] as const;
export type Area = (typeof AREAS)[number];

/** `problem` asks for something to be done, `note` is worth knowing, `ok` was looked at and is as it should be. */
export type Level = 'ok' | 'note' | 'problem';

/** Something that the doctor found. */
export interface Finding {
  readonly area: Area;
  readonly level: Level;
  /** In few words, without numbers that change from one look to the next. */
  readonly what: string;
  /** Path, process or version that it is about. */
  readonly where: string;
  /** Why it matters; "" for what is as it should be. */
  readonly why: string;
  /** What is to be done, by `repair` where there is one; "" where nothing is. */
  readonly remedy: string;
  /** Does it. Rejects with LeftAloneError where it turns out to be in use. */
  readonly repair?: () => Promise<void>;
}

/** A repair was not made because it would harm somebody. */
export class LeftAloneError extends Error {
  override readonly name = 'LeftAloneError';
}

/** What was looked at and is as it should be. */
export function fine(area: Area, what: string, where: string): Finding {
  return { area, level: 'ok', what, where, why: '', remedy: '' };
}

/** Tells whether two looks have found the same thing. */
export function sameFinding(one: Finding, other: Finding): boolean {
  return one.area === other.area && one.what === other.what && one.where === other.where;
}
