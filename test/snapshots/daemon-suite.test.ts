import { PrivateSnapshotter } from '../../scripts/containerd/private-snapshotter';
import { Scratch } from '../harness/scratch';
import { describeSnapshotter } from '../suite/snapshotter-suite';

/** The same behaviours as over kernel mounts, through the whole daemon: its FUSE mounts, its store, its socket. */
describeSnapshotter('the daemon', async () => {
  const scratch = await Scratch.make();
  const daemon = await PrivateSnapshotter.start({
    directory: scratch.in('d'),
    configuration: '[domains]\ndefault = "suite"\n',
  });
  return {
    socket: daemon.socket,
    stop: async () => {
      await daemon[Symbol.asyncDispose]();
      await scratch[Symbol.asyncDispose]();
    },
  };
});
