import type { InodeDetails } from '../../proto/admin-messages';
import { visibleText } from '../visible-text';
import { formatBytes, formatFacts } from './output';

/** A dedup inode in one domain, with the images that hold it and who has opened it. */
export function inodeText({ inode, holders }: InodeDetails): string {
  const images = holders.map(({ image, opened }) => `  ${visibleText(image)}${openedText(opened)}`);
  return [
    formatFacts([
      ['fingerprint', inode.fingerprint || '(of one file alone, unverified)'],
      ['domain', inode.domain],
      ['size', formatBytes(inode.size)],
      ['page cache', `${formatBytes(inode.cached_bytes)}, saves ${formatBytes(inode.saved_bytes)}`],
      ['open files', String(inode.open_files)],
      ['images', String(holders.length)],
    ]),
    ...images,
  ].join('\n');
}

function openedText(files: number): string {
  if (files === 0) return '';
  return `: opened since its pages came in${files === 1 ? '' : `, as ${files} files`}`;
}
