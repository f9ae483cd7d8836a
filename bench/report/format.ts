import type { Unit } from '../result/result';

const MIB = 1 << 20;

/** A figure with its unit, three digits at least. */
export function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case 'bytes':
      return `${digits(value / MIB)} MiB`;
    case 'seconds':
      return Math.abs(value) < 0.1 ? `${digits(value * 1000)} ms` : `${digits(value)} s`;
    case 'bytes/s':
      return `${digits(value / MIB)} MiB/s`;
    case '1/s':
      return `${thousands(value)} /s`;
    case 'count':
      return thousands(value);
    case 'fraction':
      return `${(value * 100).toFixed(1)} %`;
  }
}

/** Three digits that count, no exponent. */
function digits(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

function thousands(value: number): string {
  return Math.abs(value) < 100
    ? digits(value)
    : Math.round(value)
        .toString()
        .replace(/\B(?=(\d{3})+$)/g, ',');
}

export function formatRatio(ratio: number): string {
  if (!Number.isFinite(ratio)) return '';
  return `× ${digits(ratio)}`;
}
