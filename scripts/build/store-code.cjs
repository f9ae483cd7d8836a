// Keeps what V8 compiles of a command until it has told its version: bin/bundle.cjs starts with it.
const { writeFileSync } = require('node:fs');
const { codeFile, loadBundle } = require('../../bin/bundle.cjs');

const [node, , command] = process.argv;
process.argv = [node, command, '--version'];
const { script, run } = loadBundle(command);
process.on('exit', () => writeFileSync(codeFile(command), script.createCachedData()));
run();
