import { InvalidArgumentError } from 'commander';
import type { CompressionOptions, CompressionRule, Encoder, EncoderSettings } from '../../../erofs/build';
import { CompressionChoice } from '../../../erofs/writer/compression-choice';
import { ENCODERS } from '../../../erofs/writer/encoder-settings';
import { CommandError } from '../command-error';

/** What the command line says about compression. */
export interface CompressionFlags {
  readonly compress: EncoderChoice;
  /** Bytes. */
  readonly pclusterSize: number;
  readonly inlineTails: boolean;
  readonly compressRule: readonly RuleChoice[];
}

/** An encoder, or none, without the size of pclusters. */
export type EncoderChoice = Omit<EncoderSettings, 'pclusterSize'> | 'none';

export interface RuleChoice {
  readonly pattern: string;
  readonly encoder: EncoderChoice;
}

const NAMES = Object.keys(ENCODERS) as Encoder[];
const ALL_FILES = '*';

/** `lz4`, `zstd,19`, `none`: as `mkfs.erofs -z` takes them. */
export function parseEncoder(text: string): EncoderChoice {
  const [name = '', level, ...rest] = text.split(',');
  if (name === 'none' && level === undefined) return 'none';
  const encoder = NAMES.find((known) => known === name);
  if (encoder === undefined || rest.length > 0) {
    throw new InvalidArgumentError(`It is none of: none, ${NAMES.join(', ')}; with a level: zstd,19.`);
  }
  if (level === undefined) return { encoder };
  if (!/^\d+$/.test(level)) throw new InvalidArgumentError(`The level "${level}" is no whole number.`);
  return { encoder, level: Number(level) };
}

/** `PATTERN=ENCODER[,LEVEL]`; the pattern may have equals signs itself. */
export function parseRule(text: string, before: readonly RuleChoice[]): readonly RuleChoice[] {
  const at = text.lastIndexOf('=');
  if (at < 1) throw new InvalidArgumentError('It is not of the form PATTERN=ENCODER[,LEVEL].');
  return [...before, { pattern: text.slice(0, at), encoder: parseEncoder(text.slice(at + 1)) }];
}

/** `65536`, `64K`, `1M` or `64KiB`: bytes. */
export function parseSize(text: string): number {
  const [, digits, unit] = /^(\d+)(?:([KM])(?:iB)?)?$/i.exec(text) ?? [];
  const bytes =
    Number(digits) * { K: 1024, M: 1024 ** 2, '': 1 }[(unit?.toUpperCase() ?? '') as 'K' | 'M' | ''];
  if (!Number.isSafeInteger(bytes)) throw new InvalidArgumentError('It is no size, such as 65536 or 64K.');
  return bytes;
}

/**
 * Flags as the writer wants them; undefined where nothing is compressed. Throws CommandError where no encoder works like
 * that.
 */
export function compressionOf(flags: CompressionFlags): CompressionOptions | undefined {
  const { compress, pclusterSize, inlineTails } = flags;
  const settingsOf = (choice: EncoderChoice): EncoderSettings | 'none' =>
    choice === 'none' ? 'none' : { ...choice, pclusterSize };
  const rules: CompressionRule[] = flags.compressRule.map(({ pattern, encoder }) => ({
    pattern,
    settings: settingsOf(encoder),
  }));
  const [usual] = [settingsOf(compress), ...rules.map(({ settings }) => settings)].filter(
    (settings) => settings !== 'none',
  );
  if (usual === undefined) return undefined;
  // The writer has no "none but by rules": the rule that comes last takes all that others leave.
  if (compress === 'none') rules.push({ pattern: ALL_FILES, settings: 'none' });
  const options = { ...usual, inlineTails, rules };
  try {
    // It checks them all.
    new CompressionChoice(options);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CommandError(error.message, { cause: error });
  }
  return options;
}
