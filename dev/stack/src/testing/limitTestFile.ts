/**
 * Loaded before each test file: ends its process after the time limit, with a message that names what kept it alive. The
 * test runner fails a test that takes too long, but waits for its process without a limit (Node 24.21).
 */
const limitMs = Number(process.env['FIT_TEST_FILE_LIMIT_MS'] ?? 0);
if (limitMs > 0)
  setTimeout(() => {
    const resources = process.getActiveResourcesInfo().join(', ');
    process.stderr.write(`a test file did not end within ${limitMs} ms; open: ${resources}\n`);
    process.exit(1);
  }, limitMs).unref();
