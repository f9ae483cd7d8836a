const { existsSync, readFileSync } = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const { Script } = require('node:vm');

const DIRECTORY = path.join(__dirname, '../dist/bundle');

function bundleFile(command) {
  return path.join(DIRECTORY, `${command}.js`);
}

/** V8's compiled code of a bundle: the build stores it there. */
function codeFile(command) {
  return `${bundleFile(command)}.code`;
}

/**
 * The bundle of a command, to be run as Node runs the main module. Compiling it anew takes a third of the time until it
 * runs, so compiled code is used where it is that of this bundle and of this Node; V8 sees to that.
 */
function loadBundle(command) {
  const filename = bundleFile(command);
  const code = codeFile(command);
  const cachedData = existsSync(code) ? readFileSync(code) : undefined;
  // A bundle is ASCII throughout.
  const script = new Script(Module.wrap(readFileSync(filename, 'latin1')), { filename, cachedData });
  const run = () => {
    const module = { exports: {} };
    script.runInThisContext()(module.exports, Module.createRequire(filename), module, filename, DIRECTORY);
  };
  return { script, run };
}

module.exports = { bundleFile, codeFile, loadBundle };
