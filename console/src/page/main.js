/** The page: asks for a log-in, shows each status, and marks a status that is not current. */
import { alertsView } from './alertsView.js';
import { announcement } from './announcement.js';
import { Connection } from './connection.js';
import { connectionState } from './connectionState.js';
import { queuesView } from './queuesView.js';
import { forgetSession, logIn, logOut, mayHaveSession, readAccount } from './session.js';
import { durationText } from './text.js';
import { todayView } from './todayView.js';

/** @type {Connection | undefined} */
let connection;
/** @type {{ reason: string, retryAt: number } | undefined} */
let lost;
let activeAt = 0;
/** The server's clock minus this one. Ages are computed with the server's clock. */
let clockSkewMs = 0;
/** @type {import('./model.js').Status | undefined} */
let latest;
let announced = '';
/** @type {Map<string, string>} */
const shown = new Map();
/** They change with every event. */
const CLOCK_FIELDS = new Set(['asOf', 'answeredAt', 'ageSeconds']);

/** @param {string} id */
function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

const email = /** @type {HTMLInputElement} */ (byId('email'));
const password = /** @type {HTMLInputElement} */ (byId('password'));

byId('log-in').addEventListener('submit', (event) => {
  event.preventDefault();
  void submit();
});

byId('log-out').addEventListener('click', () => {
  void leave();
});

async function submit() {
  byId('log-in-problem').textContent = '';
  const problem = await logIn(email.value, password.value);
  password.value = '';
  if (problem === '') connect();
  else askForLogIn(problem, password);
}

async function leave() {
  const problem = await logOut();
  askForLogIn(problem === '' ? '' : `You may still be logged in. ${problem}`);
}

/**
 * @param {string} problem
 * @param {HTMLInputElement} field gets the focus.
 */
function askForLogIn(problem, field = email) {
  connection?.close();
  connection = undefined;
  byId('status').hidden = true;
  byId('account').textContent = '';
  byId('log-out').hidden = true;
  byId('sign-in').hidden = false;
  byId('log-in-problem').textContent = problem;
  field.focus();
  showConnection();
}

async function showAccount() {
  const opened = connection;
  const account = await readAccount();
  if (account !== undefined && connection === opened)
    byId('account').textContent = `${account.name} (${account.role})`;
}

function connect() {
  byId('sign-in').hidden = true;
  byId('log-in-problem').textContent = '';
  byId('log-out').hidden = false;
  lost = undefined;
  activeAt = 0;
  connection = new Connection({
    onStatus: (data) => {
      const status = /** @type {unknown} */ (JSON.parse(data));
      show(/** @type {import('./model.js').Status} */ (status));
    },
    onActivity: () => {
      // After a loss the page is current again only with the next status, so `lost` stays set until then.
      activeAt = Date.now();
      showConnection();
    },
    onLost: (state) => {
      lost = state;
      showConnection();
    },
    onRefused: (status) => {
      if (status === 401) {
        forgetSession();
        askForLogIn('The session has ended. Log in again.');
        return;
      }
      void logOut();
      askForLogIn('This account may not see the status. Log in with another one.');
    },
  });
  showConnection();
  void showAccount();
}

/** @param {import('./model.js').Status} status */
function show(status) {
  byId('status').hidden = false;
  latest = status;
  lost = undefined;
  clockSkewMs = Date.parse(status.at) - Date.now();
  showPart('today', status.today, todayView);
  showPart('alerts', status.alerts, alertsView);
  showPart('queues', status.queues, queuesView);
  tick();
}

/**
 * Renders a part that changed. An unchanged part is not rendered again, so focus and selection in it stay.
 * @template Part
 * @param {string} id
 * @param {Part} part
 * @param {(part: Part) => Node[]} view
 */
function showPart(id, part, view) {
  const text = JSON.stringify(part, (key, value) =>
    CLOCK_FIELDS.has(key) ? undefined : /** @type {unknown} */ (value),
  );
  if (shown.get(id) === text) return;
  shown.set(id, text);
  byId(id).replaceChildren(...view(part));
}

function showConnection() {
  const place = byId('connection');
  const facts = { isOpen: connection !== undefined, lost, activeAt };
  const { state, text } = connectionState(facts, Date.now());
  place.dataset.state = state;
  place.textContent = text;
  byId('status').classList.toggle('is-stale', state !== 'live');
  byId('last-known').hidden = state === 'live';
  announce(state);
}

/** @param {'off' | 'live' | 'lost'} connection */
function announce(connection) {
  const { state, text } = announcement(latest, connection);
  if (state === announced) return;
  announced = state;
  byId('announcer').textContent = text;
}

/** Updates everything that changes with time alone. */
function tick() {
  showConnection();
  for (const place of document.querySelectorAll('time[data-since]')) {
    const since = Date.parse(place.getAttribute('datetime') ?? '');
    place.textContent = durationText((Date.now() + clockSkewMs - since) / 1_000);
  }
}

setInterval(tick, 1_000);
if (mayHaveSession()) connect();
else askForLogIn('');
