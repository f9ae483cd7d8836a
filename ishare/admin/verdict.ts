import { parseFingerprint } from '../fingerprint';
import type { ServedFile } from '../inventory';
import { sharingSentence } from '../sharing-sentence';
import type { CommittedImage } from './sources';

/** What decides whether a regular file of an image is shared. */
export interface VerdictFacts {
  /** Empty: none. */
  readonly domain: string;
  /** What chose the domain; "": nothing that is known. */
  readonly rule: string;
  readonly size: number;
  readonly image: CommittedImage;
  /** Undefined: the image is not attached there. */
  readonly served: ServedFile | undefined;
  /** Other attached images of the domain that hold the content. */
  readonly otherImages: number;
  readonly passthrough: boolean;
  readonly passthroughAllowed: boolean;
}

/** Whether the file is shared, or what keeps it from that, in one sentence. */
export function verdictOf(facts: VerdictFacts): string {
  const obstacle = obstacleOf(facts);
  if (obstacle !== undefined) return `Not shared${obstacle}.`;
  const { domain, otherImages, passthrough, passthroughAllowed } = facts;
  const state = otherImages === 0 ? 'Ready to be shared' : 'Shared';
  const partners = partnersText(domain, otherImages);
  if (passthrough) return `${state}: ${partners}.`;
  return `${state} in part: ${partners}. ${sentence(sharingSentence(passthrough, passthroughAllowed))}`;
}

function partnersText(domain: string, otherImages: number): string {
  switch (otherImages) {
    case 0:
      return `no other image that is attached in the domain "${domain}" holds this content at the moment`;
    case 1:
      return `1 other image of the domain "${domain}" uses the same pages`;
    default:
      return `${otherImages} other images of the domain "${domain}" use the same pages`;
  }
}

/** What follows "Not shared", or undefined where nothing stands against it. */
function obstacleOf({ domain, rule, size, image, served }: VerdictFacts): string | undefined {
  if (domain === '') return `: the container is in no domain${rule === '' ? '' : ` (rule: ${rule})`}`;
  if (size === 0) return ': empty files have no pages';
  if (served === undefined) return `: its image is not attached${because(image.damage)}`;
  const { claim, trust, inode } = served;
  if (claim === undefined) return ': the image has no fingerprint for it';
  if (parseFingerprint(Buffer.from(claim, 'hex')) === undefined)
    return ': the fingerprint is not sha256 with 32 bytes';
  if (trust === 'quarantined') return `: its image is quarantined${because(image.trustReason)}`;
  if (inode?.digest !== undefined) return undefined;
  if (trust === 'unverified') return ' yet: the image is not verified';
  if (inode !== undefined)
    return ' yet: it was opened before its image was verified, and moves when it is opened anew';
  return ': another image of the domain has another size for the same fingerprint (the log names the file)';
}

function because(reason: string): string {
  return reason === '' ? '' : ` because ${reason}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
