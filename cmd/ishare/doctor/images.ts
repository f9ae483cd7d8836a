import { lstat } from 'node:fs/promises';
import { DigestTable } from '../../../erofs/digests/digest-table';
import { ErofsError } from '../../../erofs/errors';
import { FileSource } from '../../../erofs/file-source';
import { readSuperblock } from '../../../erofs/superblock';
import { errorCode } from '../../../linux/errno';
import { Kind } from '../../../proto/snapshots';
import type { Paths } from '../../../snapshotter/paths';
import type { SnapshotId } from '../../../snapshotter/store/snapshot-table';
import type { DatabaseContent, SnapshotRow } from './database';
import { fine, type Finding } from './finding';
import { ifPresent } from './present';

/** A row and what it owns on disk. */
export interface RowLook {
  readonly row: SnapshotRow;
  /** It is about the image of the merged metadata of a committed snapshot, which has a look of its own. */
  readonly merged: boolean;
  /** The image of a committed snapshot, the directory of another one. */
  readonly path: string;
  /** Where its digests belong. */
  readonly digests: string;
  /** What is wrong with it, with its superblock or its length; undefined where nothing is. */
  readonly problem: string | undefined;
  /** The same of the digest table. */
  readonly digestsProblem: string | undefined;
}

/** Looks at what every row owns. Of images it reads the superblock and the digest table, not the contents. */
export async function lookAtRows(paths: Paths, content: DatabaseContent): Promise<RowLook[]> {
  const looks: RowLook[] = [];
  for (const row of content.snapshots.values()) {
    const id = row.id as SnapshotId;
    const digests = paths.digests(id);
    if (row.kind === Kind.COMMITTED) {
      looks.push(await lookAtImage(row, false, paths.image(id), digests, row.digestsRoot));
      if (row.mergedDigestsRoot !== null) {
        const path = paths.mergedImage(id);
        looks.push(await lookAtImage(row, true, path, paths.mergedDigests(id), row.mergedDigestsRoot));
      }
    } else {
      const path = paths.upper(id);
      const stats = await ifPresent(lstat(path));
      const problem = stats?.isDirectory() === true ? undefined : 'it is not there';
      looks.push({ row, merged: false, path, digests, problem, digestsProblem: undefined });
    }
  }
  return looks;
}

async function lookAtImage(
  row: SnapshotRow,
  merged: boolean,
  path: string,
  digests: string,
  root: string | null,
): Promise<RowLook> {
  const problem = await failure(checkImage(path));
  return {
    row,
    merged,
    path,
    digests,
    problem,
    digestsProblem: await failure(checkDigests(root, digests, path)),
  };
}

async function checkImage(path: string): Promise<void> {
  await using source = await FileSource.open(path);
  await readSuperblock(source);
}

async function checkDigests(root: string | null, path: string, image: string): Promise<void> {
  if (root !== null) await DigestTable.read({ path, root }, image);
}

/** Why a check has failed. Rejects for what is no fault of the file. */
async function failure(check: Promise<void>): Promise<string | undefined> {
  try {
    await check;
    return undefined;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return 'it is not there';
    if (error instanceof ErofsError || code !== undefined) return (error as Error).message;
    throw error;
  }
}

export function rowFindings(looks: readonly RowLook[]): Finding[] {
  const findings = looks.flatMap((look) =>
    look.row.kind === Kind.COMMITTED ? imageFindings(look) : directoryFindings(look),
  );
  return findings.length > 0 ? findings : [fine('images', 'every row has its files', `${looks.length} rows`)];
}

const PULL_AGAIN = 'remove the image and pull it again';
const RUN_AGAIN = 'run a container of the image: that builds it again, for those that run from it too';

function imageFindings({ row, merged, path, digests, problem, digestsProblem }: RowLook): Finding[] {
  const { name } = row;
  const remedy = merged ? RUN_AGAIN : PULL_AGAIN;
  const about = (level: Finding['level'], what: string, why: string, remedy: string): Finding => ({
    area: 'images',
    level,
    what,
    where: path,
    why: `${name}: ${why}`,
    remedy,
  });
  const findings: Finding[] = [];
  if (problem !== undefined) findings.push(about('problem', 'an image that cannot be used', problem, remedy));
  if (digestsProblem !== undefined)
    findings.push({
      ...about('problem', 'digests that cannot be used', digestsProblem, remedy),
      where: digests,
    });
  const damage = merged ? row.mergedDamage : row.damage;
  if (damage !== '') findings.push(about('problem', 'an image was found damaged', damage, remedy));
  // Merged metadata holds no contents that could be believed or not.
  if (merged) return findings;
  switch (row.trust) {
    case 'computed':
    case 'verified':
      break;
    case 'quarantined':
      findings.push(about('problem', 'an image in quarantine', row.trustReason, PULL_AGAIN));
      break;
    case 'unverified':
      findings.push(
        about(
          'note',
          'an image that is not verified yet',
          'what is not verified is not shared',
          'the daemon does it when it comes to it',
        ),
      );
  }
  return findings;
}

function directoryFindings({ row, path, problem }: RowLook): Finding[] {
  if (problem === undefined) return [];
  return [
    {
      area: 'images',
      level: 'problem',
      what: "a snapshot's directory is missing",
      where: path,
      why: `${row.name}: what its container has written is lost`,
      remedy: 'remove the container; a restart of the daemon makes the directory anew, empty',
    },
  ];
}
