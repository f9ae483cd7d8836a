import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogger } from 'winston';
import { ImageBuilder } from '../../erofs/build-worker';
import { readLayerRoot } from '../../snapshotter/layer-root';
import { Paths } from '../../snapshotter/paths';
import { Snapshots } from '../../snapshotter/snapshots';
import { MetadataStore } from '../../snapshotter/store/metadata-store';
import { UnmountedLayerServer } from './unmounted-layer-server';

/**
 * A process that prepares, commits and removes snapshots until it is killed. Arguments: the root directory and a
 * prefix for keys that no earlier run has used. Prints a line once it is at work.
 */
async function churn(root: string, prefix: string): Promise<void> {
  const paths = new Paths(root);
  const store = MetadataStore.open(paths.database);
  const snapshots = await Snapshots.open({
    store,
    paths,
    builder: new ImageBuilder({ concurrency: 2 }),
    layerServer: new UnmountedLayerServer(),
    readLayerRoot,
    domainFor: ({ key }) => ({
      domain: key.includes('-1-') ? 'team' : undefined,
      rule: 'of the test',
      refused: undefined,
    }),
    logger: createLogger({ silent: true }),
    lingerMs: 0,
  });
  await Promise.all([0, 1, 2].map((lane) => runLane(snapshots, store, paths, `${prefix}-${lane}`)));
}

async function runLane(
  snapshots: Snapshots,
  store: MetadataStore,
  paths: Paths,
  lane: string,
): Promise<void> {
  for (let round = 0; ; round++) {
    let parent = '';
    for (let depth = 0; depth < 3; depth++) {
      const key = `${lane}-${round}-${depth}`;
      await snapshots.prepare({ key, parent, labels: {} });
      const { id } = store.snapshots.find(key) ?? { id: undefined };
      if (id === undefined) throw new Error(`${key} was prepared and is not stored`);
      await writeFile(join(paths.upper(id), 'content'), key.repeat(1000));
      await snapshots.commit({ key, name: `${key}-done`, labels: {} });
      parent = `${key}-done`;
      process.stdout.write('.\n');
    }
    await snapshots.remove(parent);
    if (round % 5 === 4) await snapshots.cleanup();
  }
}

const [root = '', prefix = ''] = process.argv.slice(2);
void churn(root, prefix);
