/** The page: asks for the token once, shows each status, says when it is old. */
import { alertsView } from './alertsView.js';
import { announcement } from './announcement.js';
import { Connection } from './connection.js';
import { connectionState } from './connectionState.js';
import { queuesView } from './queuesView.js';
import { durationText } from './text.js';
import { todayView } from './todayView.js';

/** The tab's own memory: no cookie, so nothing is sent that the page did not mean to send. */
const TOKEN_KEY = 'fit-admin-token';

/** @type {Connection | undefined} */
let connection;
/** @type {{ reason: string, retryAt: number } | undefined} */
let lost;
let heardAt = 0;
/** The server's clock less this one's: ages are told by the server's. */
let skewMs = 0;
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
      // A connection that was lost is back with its first status: until then what is shown is old.
      heardAt = Date.now();
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
  skewMs = Date.parse(status.at) - Date.now();
  showPart('today', status.today, todayView);
  showPart('alerts', status.alerts, alertsView);
  showPart('queues', status.queues, queuesView);
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

function showConnection() {
  const place = byId('connection');
  const heard = { isOpen: connection !== undefined, lost, heardAt };
  const { state, text } = connectionState(heard, Date.now());
  place.dataset.state = state;
  place.textContent = text;
  byId('status').classList.toggle('is-old', state !== 'live');
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

/** What grows old by itself. */
function tick() {
  showConnection();
  for (const place of document.querySelectorAll('time[data-since]')) {
    const since = Date.parse(place.getAttribute('datetime') ?? '');
    place.textContent = durationText((Date.now() + skewMs - since) / 1_000);
  }
}

setInterval(tick, 1_000);
const remembered = sessionStorage.getItem(TOKEN_KEY);
if (remembered === null) askForToken('');
else connect(remembered);
