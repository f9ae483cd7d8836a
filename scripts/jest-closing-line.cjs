/** Closes the run with one plain line, `N passed, N failed`, whatever Jest printed before. */
module.exports = class ClosingLine {
  onRunComplete(_contexts, results) {
    // A test file that could not even be loaded counts as one failure: nothing in it ran.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const tail = skipped > 0 ? `, ${skipped} skipped` : '';
    process.on('exit', () =>
      process.stdout.write(`${results.numPassedTests} passed, ${failed} failed${tail}\n`),
    );
  }
};
