/** Whether this is the long tier (`npm run test:long`), in which trials are as long as they are meant to be. */
export const LONG = process.env['ISHARE_TEST_LONG'] === '1';
