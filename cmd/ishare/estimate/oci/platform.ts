/** What an image runs on, in the words of Go, as images have them. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/** Names that Go has for Node's architectures, where they differ. */
const GO_NAMES: Readonly<Partial<Record<NodeJS.Architecture, string>>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
};

/** This machine's. */
export const hostPlatform: Platform = {
  os: 'linux',
  architecture: GO_NAMES[process.arch] ?? process.arch,
};

/** `os/architecture` or `os/architecture/variant`; undefined for anything else. */
export function parsePlatform(text: string): Platform | undefined {
  const [os, architecture, variant, ...more] = text.split('/');
  if (!os || !architecture || variant === '' || more.length > 0) return undefined;
  return { os, architecture, variant };
}

export function platformText({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** Whether an image is for a platform; where that names no variant, any will do. */
export function isFor(image: Platform, wanted: Platform): boolean {
  return (
    image.os === wanted.os &&
    image.architecture === wanted.architecture &&
    (wanted.variant === undefined || variantOf(image) === variantOf(wanted))
  );
}

/** ARMv8 is what arm64 means (image-index.md of the OCI image specification, platform variants). */
function variantOf({ architecture, variant }: Platform): string | undefined {
  return architecture === 'arm64' && variant === undefined ? 'v8' : variant;
}
