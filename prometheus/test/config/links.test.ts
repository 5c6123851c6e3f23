/** Goal: links lead to the configured addresses, and a wrong variable is refused. Method: environments. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LINKS, readLinks } from '../../src/index.ts';

test('unset and empty variables are the defaults', () => {
  assert.deepEqual(readLinks({}), DEFAULT_LINKS);
  // Compose passes an empty value for a variable that is not set.
  assert.deepEqual(readLinks({ FIT_CONSOLE_URL: '', FIT_RUNBOOK_BASE: '' }), DEFAULT_LINKS);
});

test('without FIT_RUNBOOK_BASE the runbooks are those of the status page', () => {
  const { runbookBase } = readLinks({}, 'http://localhost:13000');
  assert.equal(runbookBase, 'http://localhost:13000/runbooks');
  const moved = readLinks(
    { FIT_CONSOLE_URL: 'https://fit.example.org/' },
    'http://localhost:13000',
  );
  assert.equal(moved.runbookBase, 'https://fit.example.org/runbooks');
});

test('given addresses are taken without the slash at their end', () => {
  const environment = {
    FIT_CONSOLE_URL: 'https://fit.example.org/',
    FIT_RUNBOOK_BASE: 'https://wiki.example.org/fit/',
  };
  assert.deepEqual(readLinks(environment), {
    consoleUrl: 'https://fit.example.org',
    runbookBase: 'https://wiki.example.org/fit',
  });
});

test('values that are no http address are refused, and each variable is named', () => {
  assert.throws(
    () => readLinks({ FIT_CONSOLE_URL: 'fit' }),
    /^ConfigError: FIT_CONSOLE_URL='fit' [^;]*$/,
  );
  const environment = { FIT_CONSOLE_URL: 'localhost:12100', FIT_RUNBOOK_BASE: 'javascript:x' };
  assert.throws(() => readLinks(environment), /FIT_CONSOLE_URL=.*; FIT_RUNBOOK_BASE=/);
});
