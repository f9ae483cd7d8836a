const { existsSync } = require('node:fs');
const path = require('node:path');

/** Threads of libuv's pool: in the daemon four may open files of its own mounts, the rest read and decode images. */
const POOL_THREADS = 16;

/** Runs a compiled command of this checkout or package, or says how to build it. */
module.exports = function launch(command) {
  // It must be set before the pool's first use. A smaller pool from the environment could not answer its own requests.
  process.env.UV_THREADPOOL_SIZE = String(
    Math.max(POOL_THREADS, Number(process.env.UV_THREADPOOL_SIZE) || 0),
  );
  const file = path.join(__dirname, '../dist/cmd', `${command}.js`);
  if (!existsSync(file)) {
    process.stderr.write(`${command}: not built yet. Run: npm ci && npm run build\n`);
    process.exit(1);
  }
  require(file);
};
