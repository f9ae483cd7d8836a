import { FuseDevice } from '../../fuse/device';
import { mountFuseDetached } from '../../fuse/mount';
import { Session } from '../../fuse/session';
import { MemoryFileSystem } from '../../fuse/testing/memory-file-system';
import { CACHING, MOUNT_NAME } from '../../fuse/testing/served-mount';
import { LookupProcess } from '../lookup-process';

/** Serves a mount, has a name in it looked up, and never answers; says `asked` when it should. */
async function ask(): Promise<void> {
  const device = FuseDevice.open();
  const mount = mountFuseDetached(device, { name: MOUNT_NAME });
  const fileSystem = new MemoryFileSystem();
  fileSystem.lookup = () => {
    console.log('asked');
    return new Promise(() => undefined);
  };
  const session = new Session(device, fileSystem, CACHING, { onFault: () => undefined });
  void session.run();
  await session.negotiated;
  await new LookupProcess(mount, { realtime: false, onFailure: console.error }).ask('name');
}

void ask();
