/**
 * Goal: the page shows the current state or marks it as stale, works by keyboard, on a phone and in dark mode, and
 * reconnects by itself. Method: a real Chromium and a real monolith, coach, broker and database, behind proxies that can
 * hold replies; the alerts of Prometheus are made by hand.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { FitClient } from '@fit/client';
import { type System, sampleUsers, startSystem } from '@fit/stack';
import {
  eventually,
  noonTimezone,
  openBrowser,
  testBroker,
  testDatabaseUrl,
} from '@fit/stack/testing';
import { openProxy, type Proxy } from '../../../topology/test/support/openProxy.ts';
import { collectPageErrors, type Page } from './collectPageErrors.ts';
import { lowContrastTexts } from './lowContrastTexts.ts';
import { alert, closeServer, serveAlerts, urlOf } from './serveAlerts.ts';

type Browser = Awaited<ReturnType<typeof openBrowser>>;

const VIEWER = { email: 'viewer@example.org', password: 'password-of-a-viewer' };
const HOSTILE = '<img src=x onerror="document.title=\'owned\'">';
const WATCHDOG = { alertname: 'Watchdog', severity: 'none' };
const SCHEMES = ['light', 'dark'] as const;
/** Far below the default, so that a few messages change the fill. */
const LIMIT = 40;

describe('the status page', () => {
  const cleanups: (() => Promise<void>)[] = [];
  const prometheus: { alerts: object[] | undefined } = { alerts: undefined };
  let browser: Browser;
  let proxies: Proxy[];
  let system: System;
  let client: FitClient;

  before(async () => {
    const testContext = { after: (cleanup: () => Promise<void>) => cleanups.push(cleanup) };
    const broker = await testBroker(testContext);
    const folder = await mkdtemp(join(tmpdir(), 'fit-page-'));
    testContext.after(() => rm(folder, { recursive: true, force: true }));
    const server = await serveAlerts(() => prometheus.alerts);
    testContext.after(() => closeServer(server));
    const urls = [testDatabaseUrl(), broker.managementUrl, broker.amqpUrl];
    proxies = await Promise.all(urls.map((url) => openProxy(testContext, url)));
    const [mongodbUrl = '', managementUrl, amqpUrl = ''] = proxies.map(({ url }) => url);
    system = await startSystem({
      amqpUrl,
      managementUrl,
      mongodbUrl,
      folder,
      coachCount: 0,
      env: {
        PROMETHEUS_URL: urlOf(server),
        FIT_MAX_LENGTH: String(LIMIT),
        CRON_TIMEZONE: noonTimezone(),
      },
    });
    testContext.after(() => system.stop());
    client = system.client;
    const body = { ...VIEWER, role: 'viewer', name: 'A viewer' };
    await client.request('POST', '/accounts', { body });
    browser = await openBrowser(testContext);
  });
  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  /** Opens the page in a browser context of its own. @returns the page, and the list of errors that the browser reports. */
  async function openPage(t: TestContext): Promise<{ page: Page; pageErrors: string[] }> {
    const context = await browser.createBrowserContext();
    t.after(() => context.close());
    const page = await context.newPage();
    const pageErrors = await collectPageErrors(page);
    await page.goto(system.monolith.url);
    return { page, pageErrors };
  }

  async function signIn(page: Page): Promise<void> {
    await page.type('#email', VIEWER.email);
    await page.type('#password', VIEWER.password);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#status:not([hidden])');
  }

  test('a wrong password is refused with a reason; logging in and out needs the keyboard only; the browser reports no error', async (t) => {
    const { page, pageErrors } = await openPage(t);
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'email');
    await page.keyboard.type(VIEWER.email);
    await page.keyboard.press('Tab');
    await page.keyboard.type('a-wrong-password');
    await page.keyboard.press('Enter');
    await shows(page, '#log-in-problem', /the password is wrong/);
    // The browser itself logs the status 401.
    assert.deepEqual(
      pageErrors.splice(0).filter((error) => !error.includes('401')),
      [],
    );
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'password');
    await page.keyboard.type(VIEWER.password);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await shows(page, '#connection', /^live$/);
    await shows(page, '#account', /^A viewer \(viewer\)$/);
    await shows(page, '#today', /No run yet today/);
    await page.reload();
    await shows(page, '#connection', /^live$/);
    assert.deepEqual(pageErrors, []);
    assert.equal(page.url(), `${system.monolith.url}/`);
    assert.equal(await page.evaluate(() => document.cookie), '', 'a script can read the session');
    assert.doesNotMatch(await page.content(), new RegExp(VIEWER.password));
    await page.focus('#log-out');
    await page.keyboard.press('Enter');
    await shows(page, '#connection', /^not connected$/);
    assert.equal(await page.$('#status:not([hidden])'), null);
    assert.equal(await page.evaluate(async () => (await fetch('/status')).status), 401);
  });

  test('a session that was ended elsewhere ends the page, which asks for a log-in', async (t) => {
    const { page } = await openPage(t);
    await signIn(page);
    await shows(page, '#connection', /^live$/);
    await page.evaluate(async () => {
      await fetch('/auth/logout', { method: 'POST', headers: { 'x-fit-csrf': '1' } });
    });
    await page.reload();
    await shows(page, '#log-in-problem', /The session has ended/);
  });

  test('alerts are unknown, then none, then firing, and a hostile text stays text', async (t) => {
    const { page, pageErrors } = await openPage(t);
    await signIn(page);
    await shows(page, '#alerts', /Alerts unknown, for \d/);
    prometheus.alerts = [alert(WATCHDOG)];
    await shows(page, '#alerts', /^Nothing fires$/);
    const fires = { alertname: 'QueueNearFull', severity: 'critical', queue: 'createWodQueue' };
    prometheus.alerts = [
      alert(WATCHDOG),
      alert(fires, { summary: HOSTILE, runbook_url: 'https://example.org/QueueNearFull.md' }),
      alert({ alertname: HOSTILE, severity: 'info' }, { runbook_url: 'javascript:alert(1)' }),
    ];
    await shows(page, '#alerts', /2 firing/);
    const text = await textOf(page, '#alerts');
    assert.ok(text.includes(HOSTILE), text);
    const found = await page.evaluate(() => ({
      images: document.querySelectorAll('img').length,
      links: [...document.querySelectorAll('#alerts a')].map((link) => link.getAttribute('href')),
      title: document.title,
      announced: document.querySelector('#announcer')?.textContent,
    }));
    assert.deepEqual([found.images, found.title], [0, 'FIT status']);
    assert.deepEqual(found.links, ['https://example.org/QueueNearFull.md']);
    assert.match(found.announced ?? '', /Firing: QueueNearFull/);
    assert.deepEqual(pageErrors, []);
    prometheus.alerts = [alert(WATCHDOG)];
  });

  test('without a coach the fill rises with a run, and the run ends when a coach starts', async (t) => {
    const { page, pageErrors } = await openPage(t);
    await signIn(page);
    await shows(page, '#queues', /createWodQueue main.*0 % full – 0 of 40/s);
    await client.createUsers(sampleUsers(20));
    await client.generateWods();
    await shows(page, '#today', /0 of 20 served, the run goes on/);
    await shows(page, '#queues', /50 % full – 20 of 40/);
    await system.addCoach();
    await shows(page, '#today', /Everyone is served: 20 of 20 served/);
    await shows(page, '#queues', /createWodQueue main.*0 % full – 0 of 40/s);
    assert.deepEqual(pageErrors, []);
  });

  for (const scheme of SCHEMES)
    test(`in a window 360 px wide, ${scheme}, nothing overflows and every text has enough contrast`, async (t) => {
      const { page } = await openPage(t);
      await page.setViewport({ width: 360, height: 740 });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await signIn(page);
      await shows(page, '#queues', /createWodQueue\.dead/);
      const [inner, scroll, client] = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return [window.innerWidth, scrollWidth, clientWidth] as const;
      });
      assert.deepEqual([inner, scroll], [360, client]);
      assert.deepEqual(await page.evaluate(lowContrastTexts), []);
    });

  test('while database and broker hang, the last known state is marked and has no colours; then the page is current again', async (t) => {
    const { page, pageErrors } = await openPage(t);
    await signIn(page);
    await shows(page, '#today', /^Everyone is served/);
    const current = await appearanceOf(page, '#today .headline');
    const release = () => {
      for (const proxy of proxies) proxy.release();
    };
    t.after(release);
    for (const proxy of proxies) proxy.holdReplies();
    await shows(
      page,
      '#queues',
      /^The broker does not answer, for \d+ s\s.*Last known:\s+createWodQueue main/s,
    );
    await shows(
      page,
      '#today',
      /^Not known, for \d+ s\s.*\sLast known:\s+Everyone is served: 20 of/s,
    );
    const stale = await appearanceOf(page, '#today .is-stale p');
    assert.notEqual(stale.colour, current.colour);
    assert.ok(stale.size < current.size, 'the stale headline is as large as the current one');
    assert.equal(await page.$('#today meter'), null);
    assert.match(
      await textOf(page, '#announcer'),
      /^Today is not known; last known: Everyone.*Queues unknown/,
    );
    for (const scheme of SCHEMES) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      assert.deepEqual(await page.evaluate(lowContrastTexts), []);
    }
    release();
    await shows(page, '#today', /^Everyone is served/);
    await shows(page, '#queues', /^createWodQueue main/);
    await shows(page, '#announcer', /^Everyone is served.*fires\.$/);
    assert.deepEqual(pageErrors, []);
  });

  test('a stream without data is marked as stale before the connection counts as dead', async (t) => {
    const { page } = await openPage(t);
    await signIn(page);
    await shows(page, '#connection', /^live$/);
    assert.equal(await isMarkedStale(page), false);
    // Each attempt sets the clock of the page ahead by more than a heartbeat, until the page updates before the next one.
    await eventually(
      async () => {
        await page.evaluate(() => {
          const ahead = Date.now() + 25_000 - performance.now();
          Date.now = () => ahead + performance.now();
        });
        const text = await textOf(page, '#connection');
        return text.startsWith('no data, last seen') && (await isMarkedStale(page));
      },
      { deadlineMs: 20_000, describe: () => textOf(page, '#connection') },
    );
  });

  test('when the monolith dies, the page announces it once and marks the status as stale, until the monolith is back', async (t) => {
    const { page } = await openPage(t);
    await signIn(page);
    await shows(page, '#connection', /^live$/);
    await shows(page, '#today', /^Everyone is served/);
    const current = await appearanceOf(page, '#today .headline');
    await page.evaluate(recordAnnouncements);
    await system.monolith.child.kill();
    await shows(page, '#connection', /last seen [3-9] s ago; trying again in \d+ s/);
    assert.match(await textOf(page, '#queues'), /createWodQueue main/);
    assert.match(await textOf(page, '#status'), /^Last known:/);
    assert.ok(await isMarkedStale(page));
    assert.notEqual((await appearanceOf(page, '#today .headline')).colour, current.colour);
    for (const scheme of SCHEMES) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      assert.deepEqual(await page.evaluate(lowContrastTexts), []);
    }
    const announced = await page.evaluate(() => document.body.dataset['announced']);
    assert.equal(announced, 'Connection lost. What is shown is the last known.|');
    await system.restartMonolith();
    await shows(page, '#connection', /^live$/);
    assert.equal(await isMarkedStale(page), false);
    await shows(page, '#announcer', /^Everyone is served/);
  });

  // The last one, because the registration makes a user of the next runs.
  test('a member is told that the status is not for members', async (t) => {
    const { page } = await openPage(t);
    const member = { email: 'member@example.org', password: 'password-of-a-member' };
    await client.request('POST', '/auth/register', { body: { ...member, name: 'A member' } });
    await page.type('#email', member.email);
    await page.type('#password', member.password);
    await page.keyboard.press('Enter');
    await shows(page, '#log-in-problem', /may not see the status/);
    assert.equal(await page.$('#status:not([hidden])'), null);
  });
});

async function textOf(page: Page, selector: string): Promise<string> {
  return await page.$eval(selector, (found) => (found as HTMLElement).innerText);
}

async function appearanceOf(
  page: Page,
  selector: string,
): Promise<{ colour: string; size: number }> {
  return await page.$eval(selector, (found) => {
    const { color, fontSize } = getComputedStyle(found);
    return { colour: color, size: Number.parseFloat(fontSize) };
  });
}

async function isMarkedStale(page: Page): Promise<boolean> {
  return await page.$eval('#status', (found) => found.classList.contains('is-stale'));
}

async function shows(page: Page, selector: string, wanted: RegExp): Promise<void> {
  await eventually(async () => wanted.test(await textOf(page, selector)), {
    deadlineMs: 40_000,
    describe: async () => `${selector} shows ${JSON.stringify(await textOf(page, selector))}`,
  });
}

/** Runs in the page. Collects all later announcements for screen readers, each followed by `|`. */
function recordAnnouncements(): void {
  const place = document.querySelector('#announcer')!;
  new MutationObserver(() => {
    const { dataset } = document.body;
    dataset['announced'] = `${dataset['announced'] ?? ''}${place.textContent}|`;
  }).observe(place, { childList: true });
}
