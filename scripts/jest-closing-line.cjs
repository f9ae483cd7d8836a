const { appendFileSync, readFileSync } = require('node:fs');

/**
 * Closes the run with one plain line, `N passed, N failed`, whatever Jest printed before. Runs that share a file named by
 * ISHARE_TEST_COUNTS add up: the line counts the runs before, too.
 */
module.exports = class ClosingLine {
  onRunComplete(_contexts, results) {
    // A test file that could not even be loaded counts as one failure: nothing in it ran.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const total = addUp([results.numPassedTests, failed, skipped]);
    const tail = total[2] > 0 ? `, ${total[2]} skipped` : '';
    process.on('exit', () => process.stdout.write(`${total[0]} passed, ${total[1]} failed${tail}\n`));
  }
};

function addUp(counts) {
  const file = process.env.ISHARE_TEST_COUNTS;
  if (file === undefined) return counts;
  appendFileSync(file, `${counts.join(' ')}\n`);
  const runs = readFileSync(file, 'utf8').trim().split('\n');
  return runs
    .map((line) => line.split(' ').map(Number))
    .reduce((sum, run) => sum.map((count, at) => count + run[at]));
}
