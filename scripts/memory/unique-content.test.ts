import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TemporaryDirectory } from '../process/temporary-directory';
import { readAllFiles } from './page-cache';
import { contentTotals } from './unique-content';

test('contents count once over trees, hard links once within one, links and empty files not at all', async () => {
  await using directory = await TemporaryDirectory.create();
  const trees = ['a', 'b'].map((name) => join(directory.path, name));
  for (const tree of trees) {
    mkdirSync(join(tree, 'sub'), { recursive: true });
    writeFileSync(join(tree, 'sub', 'same'), Buffer.alloc(5000, 1));
    writeFileSync(join(tree, 'own'), tree);
    writeFileSync(join(tree, 'empty'), '');
    linkSync(join(tree, 'own'), join(tree, 'sub', 'linked'));
    symlinkSync('/etc', join(tree, 'away'));
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff])]), 'same');
  }
  expect(await contentTotals(trees)).toEqual({
    files: 8,
    allBytes: 2 * (8192 + 4096 + 4096),
    uniqueBytes: 8192 + 3 * 4096,
  });
  expect(await readAllFiles(trees[0]!)).toEqual({ files: 4, bytes: 5000 + trees[0]!.length + 4 });
});
