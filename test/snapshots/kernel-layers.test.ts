import { Scratch } from '../harness/scratch';
import { SnapshotterServer } from '../harness/snapshotter-server';
import { describeSnapshotter } from '../suite/snapshotter-suite';

describeSnapshotter('the snapshots service over kernel mounts', async () => {
  const scratch = await Scratch.make();
  const server = await SnapshotterServer.start(scratch);
  return {
    socket: server.parts.socket,
    stop: async () => {
      await server.stop();
      await scratch[Symbol.asyncDispose]();
    },
  };
});
