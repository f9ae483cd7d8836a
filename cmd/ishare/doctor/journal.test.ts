import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BackingId, NodeId } from '../../../fuse/file-system';
import { imageNode } from '../../../ishare/node-numbers';
import { TakeoverJournal } from '../../../ishare/takeover/journal';
import { journalPath } from '../../../ishare/takeover/takeover-state';
import { journalFindings, lookAtJournal } from './journal';

let state: string;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'ishare-doctor-'));
});

afterEach(() => rmSync(state, { recursive: true }));

const attachments = (...ranges: number[]) => ({
  snapshots: new Map(),
  attachments: ranges.map((nodeRange) => ({ id: nodeRange, nodeRange })),
});

test('no journal, or another file in its place, tells nothing', () => {
  expect(lookAtJournal(state)).toBeUndefined();
  writeFileSync(journalPath(state), '');
  expect(lookAtJournal(state)).toBeUndefined();
  writeFileSync(journalPath(state), 'another file');
  expect(lookAtJournal(state)).toBeUndefined();
  expect(journalFindings(undefined, attachments(), false)).toEqual([]);
});

test('open files and backing ids of images that are gone are told, as a note while a daemon runs', () => {
  using journal = TakeoverJournal.create(journalPath(state));
  journal.opened(imageNode(3, 40), undefined, 2n);
  journal.opened(imageNode(3, 41), undefined, 4n);
  journal.opened(imageNode(4, 40), undefined, 6n);
  journal.registered((2 ** 52 + 5) as NodeId, 1 as BackingId);
  const look = lookAtJournal(state);
  const told = (ranges: number[], running: boolean): string[] =>
    journalFindings(look, attachments(...ranges), running).map(
      ({ level, what, why }) => `${level}: ${what} ${why}`,
    );
  expect(told([3, 4], false)).toEqual(['ok: open files and backing ids belong to images ']);
  expect(told([4], true)).toEqual(['note: open files of images that are gone 2 inodes']);
  expect(told([], false)).toEqual([
    'problem: open files of images that are gone 3 inodes',
    'problem: backing ids of images that are gone 1 backing ids',
  ]);
});
