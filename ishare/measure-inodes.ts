import type { DedupFacts } from './dedup-inode';
import type { DedupTable } from './dedup-table';
import { dedupFile, measuredInode, type MeasuredInode } from './inventory';
import { UNSHARED_ID } from './node-numbers';
import { Slice } from './slice';
import { withPageCache } from './worker/page-cache-thread';

/** All shared inodes, with what the kernel has cached of each. There may be a million, so other requests come in between. */
export async function measureInodes(table: DedupTable, ishareMount: number): Promise<MeasuredInode[]> {
  const inodes: DedupFacts[] = [];
  const slice = new Slice();
  for (const node of table.nodes()) {
    const inode = table.facts(node);
    // What is in no domain is nobody's to share.
    if (inode !== undefined && inode.domain.id !== UNSHARED_ID) inodes.push(inode);
    if (slice.over) await slice.rest();
  }
  const cached = await withPageCache('count', ishareMount, inodes.map(dedupFile));
  const measured: MeasuredInode[] = [];
  for (const [index, inode] of inodes.entries()) {
    measured.push(measuredInode(inode, cached[index] ?? 0));
    if (slice.over) await slice.rest();
  }
  return measured;
}
