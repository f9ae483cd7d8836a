/**
 * Tests run as compiled JavaScript (dist/), so that worker threads and child processes load the very code
 * that ships. `npm run build` comes first; scripts/test.sh does both.
 */
module.exports = {
  testEnvironment: '<rootDir>/scripts/jest-environment.cjs',
  roots: ['<rootDir>/dist'],
  testMatch: ['**/*.test.js'],
  // Real mounts, containerd and runc share one machine: one file at a time keeps the kernel's counters readable.
  maxWorkers: 1,
  // Jest keeps some MB of each file that it has run: with hundreds of them a process would come to the end of its heap.
  workerIdleMemoryLimit: '1500MB',
  testTimeout: 60_000,
  reporters: ['default', '<rootDir>/scripts/jest-closing-line.cjs'],
  transform: {},
};
