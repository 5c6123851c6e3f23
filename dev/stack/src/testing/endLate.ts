/**
 * Loaded before each test file: ends a process that is still there after its limit, and says what kept it. The runner
 * fails a test that takes too long, but waits for its process for ever (Node 24.21).
 */
const limitMs = Number(process.env['FIT_TEST_FILE_LIMIT_MS'] ?? 0);
if (limitMs > 0)
  setTimeout(() => {
    const kept = process.getActiveResourcesInfo().join(', ');
    process.stderr.write(`a test file did not end within ${limitMs} ms; open: ${kept}\n`);
    process.exit(1);
  }, limitMs).unref();
