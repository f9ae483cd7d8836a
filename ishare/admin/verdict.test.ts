import type { MeasuredInode, ServedFile } from '../inventory';
import type { CommittedImage } from './sources';
import { verdictOf, type VerdictFacts } from './verdict';

const DIGEST = '0'.repeat(64);
const CLAIM = `${Buffer.from('sha256:').toString('hex')}${DIGEST}`;

const image: CommittedImage = {
  name: 'image',
  path: '/images/1.erofs',
  size: 4096,
  inodes: 1,
  trust: 'computed',
  trustReason: '',
  damage: '',
  digests: undefined,
  merged: undefined,
};

const inode: MeasuredInode = {
  domain: 'red',
  path: `token/${DIGEST}`,
  digest: DIGEST,
  size: 1,
  holders: [1, 2],
  openFiles: 0,
  cachedBytes: 4096,
  users: [1],
};

const served: ServedFile = { trust: 'computed', claim: CLAIM, inode };

const facts: VerdictFacts = {
  domain: 'red',
  rule: 'domains.default',
  size: 1,
  image,
  served,
  otherImages: 1,
  passthrough: true,
  passthroughAllowed: true,
};

const own: MeasuredInode = { ...inode, digest: undefined };

test.each<[string, Partial<VerdictFacts>]>([
  ['Shared: 1 other image of the domain "red" uses the same pages.', {}],
  ['Shared: 3 other images of the domain "red" use the same pages.', { otherImages: 3 }],
  [
    'Ready to be shared: no other image that is attached in the domain "red" holds this content at the moment.',
    { otherImages: 0 },
  ],
  [
    'Shared in part: 1 other image of the domain "red" uses the same pages. Partial: read(2) shares, mmap and exec do not, because this kernel has no FUSE passthrough (Linux 6.9).',
    { passthrough: false },
  ],
  [
    'Shared in part: 1 other image of the domain "red" uses the same pages. Partial: read(2) shares, mmap and exec do not, because the configuration forbids FUSE passthrough (fuse.passthrough = false).',
    { passthrough: false, passthroughAllowed: false },
  ],
  ['Not shared: the container is in no domain (rule: domains.default).', { domain: '' }],
  ['Not shared: the container is in no domain.', { domain: '', rule: '' }],
  ['Not shared: empty files have no pages.', { size: 0 }],
  ['Not shared: its image is not attached.', { served: undefined }],
  [
    'Not shared: its image is not attached because it is cut off.',
    { served: undefined, image: { ...image, damage: 'it is cut off' } },
  ],
  ['Not shared: the image has no fingerprint for it.', { served: { ...served, claim: undefined } }],
  [
    'Not shared: the fingerprint is not sha256 with 32 bytes.',
    { served: { ...served, claim: CLAIM.slice(2) } },
  ],
  [
    'Not shared: its image is quarantined because /bin/sh lies.',
    {
      served: { ...served, trust: 'quarantined', inode: own },
      image: { ...image, trust: 'quarantined', trustReason: '/bin/sh lies' },
    },
  ],
  ['Not shared yet: the image is not verified.', { served: { ...served, trust: 'unverified', inode: own } }],
  [
    'Not shared yet: the image is not verified.',
    { served: { ...served, trust: 'unverified', inode: undefined } },
  ],
  [
    'Not shared yet: it was opened before its image was verified, and moves when it is opened anew.',
    { served: { ...served, trust: 'verified', inode: own } },
  ],
  [
    'Not shared: another image of the domain has another size for the same fingerprint (the log names the file).',
    { served: { ...served, inode: undefined } },
  ],
])('%s', (verdict, change) => {
  expect(verdictOf({ ...facts, ...change })).toBe(verdict);
});

test('of an unverified image, a file that is verified is shared', () => {
  expect(verdictOf({ ...facts, served: { ...served, trust: 'unverified' } })).toMatch(/^Shared: /);
});
