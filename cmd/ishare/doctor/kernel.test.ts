import { kernelFindings, lookAtKernel, type KernelLook } from './kernel';

const full: KernelLook = {
  release: '6.18.2-cloud',
  fuseDevice: true,
  fileSystems: new Set(['overlay', 'fuse']),
  passthroughBuilt: true,
  passthroughUsed: undefined,
  cachestat: true,
};

/** What is not as it should be, with its level. */
function lost(kernel: Partial<KernelLook>): string[] {
  return kernelFindings({ ...full, ...kernel })
    .filter(({ level }) => level !== 'ok')
    .map(({ level, what }) => `${level}: ${what}`);
}

const NO_PASSTHROUGH = 'note: no FUSE passthrough (Linux 6.9)';

test.each<[string, Partial<KernelLook>, string[]]>([
  ['a kernel with everything', {}, []],
  ['no /dev/fuse', { fuseDevice: false }, ['problem: no FUSE (/dev/fuse)']],
  ['no overlayfs', { fileSystems: new Set() }, ['problem: no overlayfs']],
  ['a kernel without cachestat', { cachestat: false }, ['note: no cachestat (Linux 6.5)']],
  ['a kernel built without passthrough', { passthroughBuilt: false }, [NO_PASSTHROUGH]],
  ['a kernel that does not tell how it was built', { passthroughBuilt: undefined }, []],
  ['a daemon that does without passthrough', { passthroughUsed: false }, [NO_PASSTHROUGH]],
  ['a daemon that has it, whatever the rest says', { passthroughUsed: true, passthroughBuilt: false }, []],
  [
    'an older kernel',
    { release: '6.8.0-45-generic' },
    [NO_PASSTHROUGH, 'note: no resending of FUSE requests (Linux 6.9)'],
  ],
  ['a kernel of a later series', { release: '7.0.0' }, []],
])('%s', (_what, kernel, expected) => {
  expect(lost(kernel)).toEqual(expected);
});

test('this kernel has FUSE and overlayfs, as everything else that is tested needs', async () => {
  const found = kernelFindings(await lookAtKernel(undefined));
  expect(found.filter(({ level }) => level === 'problem')).toEqual([]);
});
