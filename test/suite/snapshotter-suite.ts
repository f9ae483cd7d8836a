import { testContent } from './content-behaviours';
import { testMetadata } from './metadata-behaviours';
import { type StartedSnapshotter, SuiteContext } from './suite-context';

export type { StartedSnapshotter } from './suite-context';

/**
 * The behaviours that containerd's own suite for snapshotters (core/snapshots/testsuite) demands, under its names, by
 * gRPC and real mounts. Every test starts a server of its own.
 */
export function describeSnapshotter(name: string, start: () => Promise<StartedSnapshotter>): void {
  describe(`${name} as a containerd snapshotter`, () => {
    let context: SuiteContext | undefined;

    beforeEach(async () => {
      context = await SuiteContext.start(start);
    });

    afterEach(async () => {
      await context?.[Symbol.asyncDispose]();
      context = undefined;
    });

    const current = (): SuiteContext => {
      if (context === undefined) throw new Error('only within a test');
      return context;
    };
    testMetadata(current);
    testContent(current);
  });
}
