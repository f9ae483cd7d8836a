const { types } = require('node:util');
const { TestEnvironment } = require('jest-environment-node');

/**
 * Tests run in a context of their own, with an Error of its own, while Node's file system calls throw the Error of the
 * main one. `error instanceof Error` must hold for both, as it does wherever this program really runs.
 */
module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup();
    const ordinary = Function.prototype[Symbol.hasInstance];
    const inner = this.global.Error;
    Object.defineProperty(inner, Symbol.hasInstance, {
      value(candidate) {
        return ordinary.call(this, candidate) || (this === inner && types.isNativeError(candidate));
      },
    });
  }
};
