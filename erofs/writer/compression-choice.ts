import picomatch from 'picomatch';
import type { CompressionOptions, EncoderSettings } from './compression-options';
import { checkSettings } from './encoder-settings';

/** Which settings a file is encoded with. */
export class CompressionChoice {
  /** All that may be chosen. */
  readonly settings: readonly EncoderSettings[];
  /** Ends of files may lie behind their inodes. */
  readonly inlineTails: boolean;
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
    const usual = numberOf({ encoder, level, pclusterSize });
    this.#rules = [
      ...options.rules.map((rule) => ({
        matches: matcher(rule.pattern),
        settings: rule.settings === 'none' ? undefined : numberOf(rule.settings),
      })),
      { matches: () => true, settings: usual },
    ];
    this.settings = settings;
  }

  /**
   * Number of the settings for a file, undefined where it is not compressed.
   * @param path inside the image, with its leading slash.
   */
  for(path: string): number | undefined {
    return this.#rules.find(({ matches }) => matches(path.slice(1)))?.settings;
  }
}

function matcher(pattern: string): (path: string) => boolean {
  if (pattern === '') throw new RangeError('a pattern is empty');
  // As in .gitignore: without a slash, a pattern is about names; a leading one ties it to the root.
  const anchored = pattern.replace(/^\//, '');
  const matches = picomatch(anchored, { dot: true, basename: !pattern.includes('/'), nonegate: true });
  return (path) => matches(path);
}
