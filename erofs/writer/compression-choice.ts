import picomatch from 'picomatch';
import type { CompressionOptions, EncoderSettings } from './compression-options';
import { checkSettings } from './encoder-settings';

/** Which settings a file is encoded with. */
export class CompressionChoice {
  /** All that may be chosen. */
  readonly settings: readonly EncoderSettings[];
  /** Ends of files may lie behind their inodes. */
  readonly inlineTails: boolean;
  /** For files that no rule names. */
  readonly #usual: number | undefined;
  readonly #rules: readonly { matches: (path: string) => boolean; settings: number | undefined }[];

  /** @param options undefined: nothing is compressed. Throws RangeError where no encoder works like this. */
  constructor(options: CompressionOptions | undefined) {
    this.inlineTails = options?.inlineTails ?? false;
    if (options === undefined) {
      this.settings = [];
      this.#rules = [];
      return;
    }
    const settings: EncoderSettings[] = [];
    const numberOf = (chosen: EncoderSettings): number => {
      checkSettings(chosen);
      return settings.push(chosen) - 1;
    };
    const { encoder, level, pclusterSize } = options;
    this.#usual = numberOf({ encoder, level, pclusterSize });
    this.#rules = options.rules.map((rule) => ({
      matches: matcher(rule.pattern),
      settings: rule.settings === 'none' ? undefined : numberOf(rule.settings),
    }));
    this.settings = settings;
  }

  /**
   * Number of the settings for a file, undefined where it is not compressed.
   * @param shown its path inside the image, with a leading slash; asked for only where it matters.
   */
  for(shown: () => string): number | undefined {
    if (this.#rules.length === 0) return this.#usual;
    const path = shown().slice(1);
    const rule = this.#rules.find(({ matches }) => matches(path));
    return rule === undefined ? this.#usual : rule.settings;
  }
}

function matcher(pattern: string): (path: string) => boolean {
  if (pattern === '') throw new RangeError('a pattern is empty');
  // As in .gitignore: without a slash, a pattern is about names; a leading one ties it to the root.
  const anchored = pattern.replace(/^\//, '');
  const matches = picomatch(anchored, { dot: true, basename: !pattern.includes('/'), nonegate: true });
  return (path) => matches(path);
}
