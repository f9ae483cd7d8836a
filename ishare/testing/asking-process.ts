import { basename } from 'node:path';
import { MemoryFileSystem } from '../../fuse/testing/memory-file-system';
import { ServedMount } from '../../fuse/testing/served-mount';
import { Descriptor } from '../../linux/descriptor';
import { LookupProcess } from '../lookup-process';

/** Serves a mount, has a name in it looked up, and never answers; says `asked` when it should. */
async function ask(): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  fileSystem.lookup = () => {
    console.log('asked');
    return new Promise(() => undefined);
  };
  const { root } = await ServedMount.detached(fileSystem);
  const mount = new Descriptor(Number(basename(root)), root);
  await new LookupProcess(mount, { realtime: false, onFailure: console.error }).ask('name');
}

void ask();
