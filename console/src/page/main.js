/** The page: asks for the token once, shows each status, says when it is old. */
import { Connection } from './connection.js';
import { durationText, verdictText } from './text.js';
import { alertsView, queuesView, todayView } from './view.js';

/** The tab's own memory: no cookie, so nothing is sent that the page did not mean to send. */
const TOKEN_KEY = 'fit-admin-token';

/** @type {Connection | undefined} */
let connection;
/** @type {{ reason: string, retryAt: number } | undefined} */
let lost;
let heardAt = 0;
/** The server's clock less this one's: ages are told by the server's. */
let skewMs = 0;
let announced = '';
/** @type {Map<string, string>} */
const shown = new Map();

/** @param {string} id */
function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

const token = /** @type {HTMLInputElement} */ (byId('token'));

byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const given = token.value.trim();
  token.value = '';
  // A header takes no other characters; fetch would throw, and the page would try again for ever.
  if (!/^[\x21-\x7e]+$/.test(given)) {
    askForToken('A token has no spaces and no special letters.');
    return;
  }
  sessionStorage.setItem(TOKEN_KEY, given);
  connect(given);
});

byId('forget').addEventListener('click', () => {
  askForToken('');
});

/** @param {string} problem */
function askForToken(problem) {
  connection?.close();
  connection = undefined;
  sessionStorage.removeItem(TOKEN_KEY);
  byId('status').hidden = true;
  byId('forget').hidden = true;
  byId('sign-in').hidden = false;
  byId('token-problem').textContent = problem;
  token.focus();
  showConnection();
}

/** @param {string} given */
function connect(given) {
  byId('sign-in').hidden = true;
  byId('token-problem').textContent = '';
  byId('forget').hidden = false;
  lost = undefined;
  heardAt = 0;
  connection = new Connection(given, {
    onStatus: (data) => {
      const status = /** @type {unknown} */ (JSON.parse(data));
      show(/** @type {import('./model.js').Status} */ (status));
    },
    onLife: () => {
      heardAt = Date.now();
      lost = undefined;
      showConnection();
    },
    onLost: (state) => {
      lost = state;
      showConnection();
    },
    onRefused: () => {
      askForToken('The server refused this token. Is it the one of this server?');
    },
  });
  showConnection();
}

/** @param {import('./model.js').Status} status */
function show(status) {
  byId('status').hidden = false;
  skewMs = Date.parse(status.at) - Date.now();
  showPart('today', status.today, todayView);
  showPart('alerts', status.alerts, alertsView);
  showPart('queues', status.queues, queuesView);
  announce(status);
  tick();
}

/**
 * A part that is unchanged is left alone, with whatever is focused or selected in it.
 * @template Part
 * @param {string} id
 * @param {Part} part
 * @param {(part: Part) => Node[]} view
 */
function showPart(id, part, view) {
  const text = JSON.stringify(part, (key, value) =>
    key === 'answeredAt' || key === 'ageSeconds' ? undefined : /** @type {unknown} */ (value),
  );
  if (shown.get(id) === text) return;
  shown.set(id, text);
  byId(id).replaceChildren(...view(part));
}

/**
 * Changes of state alone: a screen reader is not told each number.
 * @param {import('./model.js').Status} status
 */
function announce({ today, alerts }) {
  const state = `${today.verdict} ${alerts.freshness.isStale} ${alerts.firing.map(({ name }) => name).join()}`;
  if (state === announced) return;
  announced = state;
  const firing = alerts.freshness.isStale
    ? 'Alerts unknown'
    : alerts.firing.length === 0
      ? 'Nothing fires'
      : `Firing: ${alerts.firing.map(({ name }) => name).join(', ')}`;
  byId('announcer').textContent = `${verdictText(today).text}. ${firing}.`;
}

function showConnection() {
  const place = byId('connection');
  const { state, text } = connectionText();
  place.dataset.state = state;
  place.textContent = text;
}

function connectionText() {
  if (connection === undefined) return { state: 'off', text: 'not connected' };
  const seconds = Math.round((Date.now() - heardAt) / 1_000);
  if (lost !== undefined) {
    const waitText = durationText(Math.max(0, (lost.retryAt - Date.now()) / 1_000));
    const seen = heardAt === 0 ? '' : `, last seen ${durationText(seconds)} ago`;
    return { state: 'lost', text: `${lost.reason}${seen}; trying again in ${waitText}` };
  }
  if (heardAt === 0) return { state: 'off', text: 'connecting' };
  return seconds < 20
    ? { state: 'live', text: 'live' }
    : { state: 'lost', text: `silent, last seen ${durationText(seconds)} ago` };
}

/** What grows old by itself. */
function tick() {
  showConnection();
  byId('status').classList.toggle('is-old', lost !== undefined);
  for (const place of document.querySelectorAll('time[data-since]')) {
    const since = Date.parse(place.getAttribute('datetime') ?? '');
    place.textContent = durationText((Date.now() + skewMs - since) / 1_000);
  }
}

setInterval(tick, 1_000);
const remembered = sessionStorage.getItem(TOKEN_KEY);
if (remembered === null) askForToken('');
else connect(remembered);
