/**
 * Goal: a reader of /docs finds every route and tries one with a token, under the Content-Security-Policy of every answer.
 * Method: a real Chromium, and a real server with the routes of users over a real database.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp, listen, withDocumentation } from '@fit/service';
import { openBrowser } from '@fit/stack/testing';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { acceptToken } from '../../../service/test/support/acceptToken.ts';
import { MONOLITH_DOCUMENT } from '../../src/routes/monolithDocument.ts';
import { userRoutes } from '../../src/routes/userRoutes.ts';
import { UserStore } from '../../src/store/userStore.ts';
import { collectPageErrors } from './collectPageErrors.ts';

const TOKEN = 'q7Zr2mXc9Lw4Tn8Vb1Ks6Jd3Hf5Gy0Pe';

test('a reader lists the users with a token, and the page breaks no rule of its policy', async (t) => {
  const store = await testStore(t);
  const users = new UserStore(store.database);
  await users.create([{ id: 'ann', level: 'rx', equipment: [] }], new Date());
  const routes = withDocumentation(
    userRoutes({ ...store, users, timezone: 'UTC' }),
    MONOLITH_DOCUMENT,
  );
  const app = createApp({
    routes,
    authenticate: acceptToken(TOKEN),
    onRequest: () => undefined,
    onDefect: (error) => assert.fail(String(error)),
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  const browser = await openBrowser(t);
  const page = await browser.newPage();
  const pageErrors = await collectPageErrors(page);
  await page.goto(`${server.url}/docs`);
  await page.waitForSelector('.opblock');
  const summaries = await page.$$eval('.opblock-summary-path', (nodes) =>
    nodes.map((node) => node.getAttribute('data-path')),
  );
  assert.deepEqual(
    new Set(summaries),
    new Set(routes.flatMap(({ paths }) => paths.map((path) => path.replace(/:(\w+)/g, '{$1}')))),
  );

  const csrfHeaders: (string | undefined)[] = [];
  page.on('request', (request) => {
    if (request.url() === `${server.url}/users`) csrfHeaders.push(request.headers()['x-fit-csrf']);
  });
  await page.click('.btn.authorize');
  await page.type('.auth-container input[type=text]', TOKEN);
  await page.click('.auth-btn-wrapper .authorize');
  await page.click('.btn-done');
  await page.click('#operations-Users-getUsers .opblock-summary-control');
  await page.waitForSelector('#operations-Users-getUsers .execute');
  await page.click('#operations-Users-getUsers .execute');
  const reply = await page.waitForSelector(
    '#operations-Users-getUsers .live-responses-table .microlight',
  );
  assert.match((await reply?.evaluate((node) => node.textContent)) ?? '', /"id": "ann"/);
  assert.deepEqual(csrfHeaders, ['1'], 'a request with a session may change something');
  assert.deepEqual(pageErrors, []);
});
