/**
 * Goal: people see the truth on the page, by keyboard, on a phone, in the dark, and it comes back by itself. Method: a real
 * Chromium on a real monolith with broker, database (by wires that can be held) and coach; what Prometheus says is made by
 * hand.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { FitClient } from '@fit/client';
import { type System, sampleUsers, startSystem } from '@fit/stack';
import {
  eventually,
  noonTimezone,
  openBrowser,
  testBroker,
  testDatabaseUrl,
} from '@fit/stack/testing';
import { openProxy, type Proxy } from '../../../topology/test/support/openProxy.ts';
import { lowContrastTexts } from './lowContrastTexts.ts';
import { alert, closeServer, serveAlerts, urlOf } from './serveAlerts.ts';
import { type Page, watchFaults } from './watchFaults.ts';

type Browser = Awaited<ReturnType<typeof openBrowser>>;

const HOSTILE = '<img src=x onerror="document.title=\'owned\'">';
const WATCHDOG = { alertname: 'Watchdog', severity: 'none' };
const SCHEMES = ['light', 'dark'] as const;
/** Far below the default, so that a few messages are seen in the fill. */
const LIMIT = 40;

describe('the status page', () => {
  const undos: (() => Promise<void>)[] = [];
  const prometheus: { alerts: object[] | undefined } = { alerts: undefined };
  let browser: Browser;
  let wires: Proxy[];
  let system: System;
  let client: FitClient;

  before(async () => {
    const teardown = { after: (undo: () => Promise<void>) => undos.push(undo) };
    const broker = await testBroker(teardown);
    const folder = await mkdtemp(join(tmpdir(), 'fit-page-'));
    teardown.after(() => rm(folder, { recursive: true, force: true }));
    const server = await serveAlerts(() => prometheus.alerts);
    teardown.after(() => closeServer(server));
    const urls = [testDatabaseUrl(), broker.managementUrl, broker.amqpUrl];
    wires = await Promise.all(urls.map((url) => openProxy(teardown, url)));
    const [mongodbUrl = '', managementUrl, amqpUrl = ''] = wires.map(({ url }) => url);
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
    teardown.after(() => system.stop());
    client = new FitClient(system.monolith.url, system.adminToken);
    browser = await openBrowser(teardown);
  });
  after(async () => {
    for (const undo of undos.reverse()) await undo();
  });

  /** A page in a tab without history; whatever it complains of fails the test. */
  async function openPage(t: TestContext): Promise<{ page: Page; faults: string[] }> {
    const context = await browser.createBrowserContext();
    t.after(() => context.close());
    const page = await context.newPage();
    const faults = await watchFaults(page);
    await page.goto(system.monolith.url);
    return { page, faults };
  }

  async function signIn(page: Page): Promise<void> {
    await page.type('#token', system.adminToken);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#status:not([hidden])');
  }

  test('a wrong token is refused in words; the right one needs the keyboard alone; no complaint', async (t) => {
    const { page, faults } = await openPage(t);
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'token');
    await page.keyboard.type('wrong-token');
    await page.keyboard.press('Enter');
    await shows(page, '#token-problem', /refused this token/);
    // The network's own line of the 401 is not the page's.
    assert.deepEqual(
      faults.splice(0).filter((fault) => !fault.includes('401')),
      [],
    );
    await page.keyboard.type(system.adminToken);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await shows(page, '#connection', /^live$/);
    await shows(page, '#today', /No run yet today/);
    await page.reload();
    await shows(page, '#connection', /^live$/);
    assert.deepEqual(faults, []);
    assert.equal(page.url(), `${system.monolith.url}/`);
    assert.doesNotMatch(await page.content(), new RegExp(system.adminToken));
  });

  test('unknown, then well, then firing: alerts, and a hostile text stays text', async (t) => {
    const { page, faults } = await openPage(t);
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
      told: document.querySelector('#announcer')?.textContent,
    }));
    assert.deepEqual([found.images, found.title], [0, 'FIT status']);
    assert.deepEqual(found.links, ['https://example.org/QueueNearFull.md']);
    assert.match(found.told ?? '', /Firing: QueueNearFull/);
    assert.deepEqual(faults, []);
    prometheus.alerts = [alert(WATCHDOG)];
  });

  test('fill rises with a run that nobody works off, and the run ends when a coach comes', async (t) => {
    const { page, faults } = await openPage(t);
    await signIn(page);
    await shows(page, '#queues', /createWodQueue main.*0 % full – 0 of 40/s);
    await client.createUsers(sampleUsers(20));
    await client.generateWods();
    await shows(page, '#today', /0 of 20 served, the run goes on/);
    await shows(page, '#queues', /50 % full – 20 of 40/);
    await system.addCoach();
    await shows(page, '#today', /Everyone is served: 20 of 20 served/);
    await shows(page, '#queues', /createWodQueue main.*0 % full – 0 of 40/s);
    assert.deepEqual(faults, []);
  });

  for (const scheme of SCHEMES)
    test(`360 px wide, ${scheme}: nothing overflows, and every text stands out`, async (t) => {
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
      const faint = await page.evaluate(lowContrastTexts);
      assert.deepEqual(faint, []);
    });

  test('database and broker hang: what was known is told as of then, in no colour of now, until they are back', async (t) => {
    const { page, faults } = await openPage(t);
    await signIn(page);
    await shows(page, '#today', /^Everyone is served/);
    const now = await looks(page, '#today .headline');
    const release = () => {
      for (const wire of wires) wire.release();
    };
    t.after(release);
    for (const wire of wires) wire.holdReplies();
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
    const then = await looks(page, '#today .is-old p');
    assert.notEqual(then.colour, now.colour);
    assert.ok(then.size < now.size, 'what is not known is larger than what was');
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
    assert.deepEqual(faults, []);
  });

  test('the stream falls silent: nothing of it may look like now, before it is known to be dead', async (t) => {
    const { page } = await openPage(t);
    await signIn(page);
    await shows(page, '#connection', /^live$/);
    assert.equal(await isMarkedOld(page), false);
    // Its clock goes ahead by more than a heartbeat each time, until one of its seconds falls between two of them.
    await eventually(
      async () => {
        await page.evaluate(() => {
          const ahead = Date.now() + 25_000 - performance.now();
          Date.now = () => ahead + performance.now();
        });
        const text = await textOf(page, '#connection');
        return text.startsWith('silent, last seen') && (await isMarkedOld(page));
      },
      { deadlineMs: 20_000, describe: () => textOf(page, '#connection') },
    );
  });

  test('the monolith dies and comes back: the page says so, once, marks what it knew as old, and goes on', async (t) => {
    const { page } = await openPage(t);
    await signIn(page);
    await shows(page, '#connection', /^live$/);
    await shows(page, '#today', /^Everyone is served/);
    const now = await looks(page, '#today .headline');
    await page.evaluate(recordAnnouncements);
    await system.monolith.child.kill();
    await shows(page, '#connection', /last seen [3-9] s ago; trying again in \d+ s/);
    assert.match(await textOf(page, '#queues'), /createWodQueue main/);
    assert.match(await textOf(page, '#status'), /^Last known:/);
    assert.ok(await isMarkedOld(page));
    assert.notEqual((await looks(page, '#today .headline')).colour, now.colour);
    for (const scheme of SCHEMES) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      assert.deepEqual(await page.evaluate(lowContrastTexts), []);
    }
    const told = await page.evaluate(() => document.body.dataset['announced']);
    assert.equal(told, 'Connection lost. What is shown is the last known.|');
    await system.restartMonolith();
    await shows(page, '#connection', /^live$/);
    assert.equal(await isMarkedOld(page), false);
    await shows(page, '#announcer', /^Everyone is served/);
  });
});

async function textOf(page: Page, selector: string): Promise<string> {
  return await page.$eval(selector, (found) => (found as HTMLElement).innerText);
}

async function looks(page: Page, selector: string): Promise<{ colour: string; size: number }> {
  return await page.$eval(selector, (found) => {
    const { color, fontSize } = getComputedStyle(found);
    return { colour: color, size: Number.parseFloat(fontSize) };
  });
}

async function isMarkedOld(page: Page): Promise<boolean> {
  return await page.$eval('#status', (found) => found.classList.contains('is-old'));
}

async function shows(page: Page, selector: string, wanted: RegExp): Promise<void> {
  await eventually(async () => wanted.test(await textOf(page, selector)), {
    deadlineMs: 40_000,
    describe: async () => `${selector} shows ${JSON.stringify(await textOf(page, selector))}`,
  });
}

/** Runs in the page: what a screen reader is told from now on, each with a line after it. */
function recordAnnouncements(): void {
  const place = document.querySelector('#announcer')!;
  new MutationObserver(() => {
    const { dataset } = document.body;
    dataset['announced'] = `${dataset['announced'] ?? ''}${place.textContent}|`;
  }).observe(place, { childList: true });
}
