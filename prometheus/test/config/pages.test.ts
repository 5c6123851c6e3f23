/** Goal: links lead where somebody said, and a mistake is told at once. Method: environments as they occur. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_PAGES, readPages } from '../../src/index.ts';

test('unset and empty variables are the defaults', () => {
  assert.deepEqual(readPages({}), DEFAULT_PAGES);
  // As compose and many a shell pass what nobody has set.
  assert.deepEqual(readPages({ FIT_CONSOLE_URL: '', FIT_RUNBOOK_BASE: '' }), DEFAULT_PAGES);
});

test('runbooks are beside the status page, until somebody puts them elsewhere', () => {
  const { runbookBase } = readPages({}, 'http://localhost:13000');
  assert.equal(runbookBase, 'http://localhost:13000/runbooks');
  const moved = readPages(
    { FIT_CONSOLE_URL: 'https://fit.example.org/' },
    'http://localhost:13000',
  );
  assert.equal(moved.runbookBase, 'https://fit.example.org/runbooks');
});

test('each can be moved; a slash at the end is not doubled later', () => {
  const environment = {
    FIT_CONSOLE_URL: 'https://fit.example.org/',
    FIT_RUNBOOK_BASE: 'https://wiki.example.org/fit/',
  };
  assert.deepEqual(readPages(environment), {
    consoleUrl: 'https://fit.example.org',
    runbookBase: 'https://wiki.example.org/fit',
  });
});

test('what is no address of the web is refused, and every one named', () => {
  assert.throws(
    () => readPages({ FIT_CONSOLE_URL: 'fit' }),
    /^ConfigError: FIT_CONSOLE_URL='fit' [^;]*$/,
  );
  const environment = { FIT_CONSOLE_URL: 'localhost:12100', FIT_RUNBOOK_BASE: 'javascript:x' };
  assert.throws(() => readPages(environment), /FIT_CONSOLE_URL=.*; FIT_RUNBOOK_BASE=/);
});
