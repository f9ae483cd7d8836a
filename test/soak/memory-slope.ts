/** Memory of a process at some moment. */
export interface MemorySample {
  /** Milliseconds since any beginning. */
  readonly at: number;
  readonly bytes: number;
}

export interface MemorySlope {
  readonly bytesPerHour: number;
  /** Standard error of the slope: how far chance alone may have moved it. */
  readonly error: number;
}

const HOUR = 3_600_000;

/** The line through the samples by least squares, from three samples on; undefined for fewer. */
export function memorySlope(samples: readonly MemorySample[]): MemorySlope | undefined {
  const count = samples.length;
  if (count < 3) return undefined;
  const meanAt = mean(samples.map(({ at }) => at));
  const meanBytes = mean(samples.map(({ bytes }) => bytes));
  const spread = sum(samples.map(({ at }) => (at - meanAt) ** 2));
  const slope = sum(samples.map(({ at, bytes }) => (at - meanAt) * (bytes - meanBytes))) / spread;
  const residual = sum(samples.map(({ at, bytes }) => (bytes - meanBytes - slope * (at - meanAt)) ** 2));
  return { bytesPerHour: slope * HOUR, error: Math.sqrt(residual / (count - 2) / spread) * HOUR };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function mean(numbers: readonly number[]): number {
  return sum(numbers) / numbers.length;
}
