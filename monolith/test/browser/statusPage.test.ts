/**
 * Goal: people see the truth on the page, by keyboard, on a phone, in the dark, and it comes back by itself. Method: a real
 * Chromium on a real monolith with broker, database and coach; what Prometheus says is made by hand.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { FitClient } from '@fit/http/client';
import { type System, sampleUsers, startSystem } from '@fit/stack';
import {
  eventually,
  noonTimezone,
  openBrowser,
  testBroker,
  testDatabaseUrl,
} from '@fit/stack/testing';

type Browser = Awaited<ReturnType<typeof openBrowser>>;
type Page = Awaited<ReturnType<Browser['newPage']>>;

const HOSTILE = '<img src=x onerror="document.title=\'owned\'">';
const WATCHDOG = { alertname: 'Watchdog', severity: 'none' };
/** Far below the default, so that a few messages are seen in the fill. */
const LIMIT = 40;

describe('the status page', () => {
  const undos: (() => Promise<void>)[] = [];
  const prometheus: { alerts: object[] | undefined } = { alerts: undefined };
  let browser: Browser;
  let system: System;
  let client: FitClient;

  before(async () => {
    const teardown = { after: (undo: () => Promise<void>) => undos.push(undo) };
    const broker = await testBroker(teardown);
    const folder = await mkdtemp(join(tmpdir(), 'fit-page-'));
    teardown.after(() => rm(folder, { recursive: true, force: true }));
    const server = await serveAlerts(() => prometheus.alerts);
    teardown.after(() => closeServer(server));
    system = await startSystem({
      ...{ amqpUrl: broker.amqpUrl, managementUrl: broker.managementUrl },
      ...{ mongodbUrl: testDatabaseUrl(), folder, coachCount: 0 },
      env: {
        ...{ PROMETHEUS_URL: urlOf(server), FIT_MAX_LENGTH: String(LIMIT) },
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
    const faults: string[] = [];
    page.on('console', (message) => {
      if (['error', 'warn'].includes(message.type())) faults.push(message.text());
    });
    page.on('pageerror', (error) => faults.push(String(error)));
    await page.evaluateOnNewDocument(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
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

  for (const scheme of ['light', 'dark'] as const)
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
      const faint = await page.evaluate(faintTexts);
      assert.deepEqual(faint, []);
    });

  test('the monolith dies and comes back: the page says so, keeps what it knew, and goes on', async (t) => {
    const { page } = await openPage(t);
    await signIn(page);
    await shows(page, '#connection', /^live$/);
    await system.monolith.child.kill();
    await shows(page, '#connection', /last seen \d+ s ago; trying again in \d+ s/);
    assert.match(await textOf(page, '#queues'), /createWodQueue main/);
    await system.restartMonolith();
    await shows(page, '#connection', /^live$/);
  });
});

async function textOf(page: Page, selector: string): Promise<string> {
  return await page.$eval(selector, (found) => (found as HTMLElement).innerText);
}

async function shows(page: Page, selector: string, wanted: RegExp): Promise<void> {
  await eventually(async () => wanted.test(await textOf(page, selector)), {
    deadlineMs: 40_000,
    describe: async () => `${selector} shows ${JSON.stringify(await textOf(page, selector))}`,
  });
}

function alert(labels: object, annotations: object = {}): object {
  return { labels, annotations, state: 'firing', activeAt: new Date().toISOString() };
}

/** Undefined: it hangs up, as one that is not there. */
async function serveAlerts(alerts: () => object[] | undefined): Promise<Server> {
  const server = createServer((request, response) => {
    const known = alerts();
    if (known === undefined) request.socket.destroy();
    else response.end(JSON.stringify({ status: 'success', data: { alerts: known } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function urlOf(server: Server): string {
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** Runs in the page. @returns texts whose contrast with what is behind them is below 4.5 to 1 (WCAG AA). */
function faintTexts(): string[] {
  const channels = (colour: string) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (colour: string) => {
    const [red = 0, green = 0, blue = 0] = channels(colour)
      .slice(0, 3)
      .map((value) => value / 255)
      .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (from: Element | null): string => {
    if (from === null) return 'rgb(255, 255, 255)';
    const colour = getComputedStyle(from).backgroundColor;
    return channels(colour)[3] === 0 ? behind(from.parentElement) : colour;
  };
  return [...document.querySelectorAll('h1,h2,h3,p,dt,dd,a,button,span,strong,time')]
    .filter((place) => place.textContent.trim() !== '' && place.getClientRects().length > 0)
    .flatMap((place) => {
      const [front, back] = [getComputedStyle(place).color, behind(place)].map(luminance);
      const ratio = (Math.max(front!, back!) + 0.05) / (Math.min(front!, back!) + 0.05);
      return ratio < 4.5 ? [`${ratio.toFixed(1)}: ${place.textContent.slice(0, 40)}`] : [];
    });
}
