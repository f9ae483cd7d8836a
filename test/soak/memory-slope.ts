/** Memory of a process at some moment. */
export interface MemorySample {
  /** Milliseconds since any beginning. */
  readonly at: number;
  readonly bytes: number;
}

export interface MemorySlope {
  readonly bytesPerHour: number;
  /** Standard error of the slope: how far chance alone may have moved it, where what moves one sample moves the next ones too. */
  readonly error: number;
}

const HOUR = 3_600_000;

/** So much alike are neighbours at most taken to be: a slope that is in doubt altogether has an error all the same. */
const MOST_ALIKE = 0.95;

/** The line through the samples by least squares, from three samples on; undefined for fewer. They lie about as far apart from each other. */
export function memorySlope(samples: readonly MemorySample[]): MemorySlope | undefined {
  const count = samples.length;
  if (count < 3) return undefined;
  const meanAt = mean(samples.map(({ at }) => at));
  const meanBytes = mean(samples.map(({ bytes }) => bytes));
  const spread = sum(samples.map(({ at }) => (at - meanAt) ** 2));
  const slope = sum(samples.map(({ at, bytes }) => (at - meanAt) * (bytes - meanBytes))) / spread;
  const residuals = samples.map(({ at, bytes }) => bytes - meanBytes - slope * (at - meanAt));
  const independent = Math.sqrt(sum(residuals.map((each) => each ** 2)) / (count - 2) / spread);
  const alike = likeness(residuals);
  return {
    bytesPerHour: slope * HOUR,
    error: independent * Math.sqrt((1 + alike) / (1 - alike)) * HOUR,
  };
}

/**
 * How much each is like the one before it (correlation, 0 to MOST_ALIKE). What a thread has taken stays for minutes, so that
 * twenty samples in a row may tell no more than one.
 */
function likeness(residuals: readonly number[]): number {
  const whole = sum(residuals.map((each) => each ** 2));
  const together = sum(residuals.map((each, index) => each * (residuals[index + 1] ?? 0)));
  return whole === 0 ? 0 : Math.min(Math.max(together / whole, 0), MOST_ALIKE);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function mean(numbers: readonly number[]): number {
  return sum(numbers) / numbers.length;
}
