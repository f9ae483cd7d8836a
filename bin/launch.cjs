const { existsSync } = require('node:fs');
const { bundleFile, loadBundle } = require('./bundle.cjs');

/** Threads of libuv's pool: in the daemon four may open files of its own mounts, the rest read and decode images. */
const POOL_THREADS = 16;

/** Runs a command of this checkout or package, or says how to build it. */
module.exports = function launch(command) {
  // It must be set before the pool's first use. A smaller pool from the environment could not answer its own requests.
  process.env.UV_THREADPOOL_SIZE = String(
    Math.max(POOL_THREADS, Number(process.env.UV_THREADPOOL_SIZE) || 0),
  );
  if (!existsSync(bundleFile(command))) {
    process.stderr.write(`${command}: not built yet. Run: npm ci && npm run build\n`);
    process.exit(1);
  }
  loadBundle(command).run();
};
