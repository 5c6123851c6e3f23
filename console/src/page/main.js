/** The page: asks for the token once, shows each status, and marks a status that is not current. */
import { alertsView } from './alertsView.js';
import { announcement } from './announcement.js';
import { Connection } from './connection.js';
import { connectionState } from './connectionState.js';
import { queuesView } from './queuesView.js';
import { durationText } from './text.js';
import { todayView } from './todayView.js';

/** The key in the session storage of the tab. A cookie would be sent with every request; this is sent by the page alone. */
const TOKEN_KEY = 'fit-admin-token';

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
  // fetch refuses other characters in a header, and the page would reconnect without end.
  if (!/^[\x21-\x7e]+$/.test(given)) {
    askForToken('A token has no spaces and no characters outside ASCII.');
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
  activeAt = 0;
  connection = new Connection(given, {
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
    onRefused: () => {
      askForToken('The server refused this token. Is it the one of this server?');
    },
  });
  showConnection();
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
    key === 'answeredAt' || key === 'ageSeconds' ? undefined : /** @type {unknown} */ (value),
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
const remembered = sessionStorage.getItem(TOKEN_KEY);
if (remembered === null) askForToken('');
else connect(remembered);
