const { existsSync } = require('node:fs');
const path = require('node:path');

/** Runs a compiled command of this checkout or package, or says how to build it. */
module.exports = function launch(command) {
  const file = path.join(__dirname, '../dist/cmd', `${command}.js`);
  if (!existsSync(file)) {
    process.stderr.write(`${command}: not built yet. Run: npm ci && npm run build\n`);
    process.exit(1);
  }
  require(file);
};
