export interface Point {
  readonly x: number;
  readonly y: number;
}

/** y = factor * x ^ exponent. */
export interface PowerLaw {
  readonly exponent: number;
  readonly factor: number;
  /** Share of the logarithms' variance that the law explains, 0 to 1. */
  readonly fit: number;
}

/** A variance of logarithms below this is that of rounding. */
const ROUNDING = 1e-20;

/**
 * The power law nearest to points, by least squares of the logarithms. Undefined for fewer than three usable points: two
 * lie on a law always. Points without a logarithm are left out.
 */
export function powerLaw(points: readonly Point[]): PowerLaw | undefined {
  const logs = points
    .filter(({ x, y }) => x > 0 && y > 0)
    .map(({ x, y }) => ({ x: Math.log(x), y: Math.log(y) }));
  const count = logs.length;
  if (new Set(logs.map(({ x }) => x)).size < 3) return undefined;
  const meanX = logs.reduce((sum, { x }) => sum + x, 0) / count;
  const meanY = logs.reduce((sum, { y }) => sum + y, 0) / count;
  const sum = (term: (x: number, y: number) => number): number =>
    logs.reduce((total, { x, y }) => total + term(x - meanX, y - meanY), 0);
  const exponent = sum((x, y) => x * y) / sum((x) => x * x);
  const varianceY = sum((_x, y) => y * y);
  const left = sum((x, y) => (y - exponent * x) ** 2);
  return {
    exponent,
    factor: Math.exp(meanY - exponent * meanX),
    // On a level curve all that varies is the rounding of the logarithms, which no law explains.
    fit: varianceY < ROUNDING ? 1 : 1 - left / varianceY,
  };
}
