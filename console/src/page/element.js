/** Elements of text and other elements. Text only ever becomes text: there is no way here to make markup of it. */

/**
 * @param {string} name of the element, with classes after dots, such as `p.quiet`.
 * @param {...(Node | string | false)} children false is left out.
 * @returns {HTMLElement}
 */
export function element(name, ...children) {
  const [tag = 'div', ...classes] = name.split('.').filter((word) => word !== '');
  const made = document.createElement(tag);
  made.classList.add(...classes);
  made.append(...children.filter((child) => child !== false));
  return made;
}

/**
 * A definition list of what is known.
 * @param {Readonly<Record<string, string | false>>} facts false is left out.
 */
export function factList(facts) {
  const pairs = Object.entries(facts).flatMap(([name, value]) =>
    value === false ? [] : [element('div', element('dt', name), element('dd', value))],
  );
  return element('dl.facts', ...pairs);
}

/**
 * @param {number} ratio above 1 is shown as full.
 * @param {{ label: string, tone: string }} look
 */
export function meter(ratio, { label, tone }) {
  const made = document.createElement('meter');
  made.value = Math.max(0, Math.min(1, ratio));
  made.textContent = label;
  made.setAttribute('aria-label', label);
  if (tone !== '') made.classList.add(tone);
  return made;
}

/**
 * @param {string} url from a rule, hence checked here again.
 * @param {string} text
 */
export function link(url, text) {
  const made = document.createElement('a');
  if (/^https?:\/\//.test(url)) made.href = url;
  made.rel = 'noreferrer';
  made.textContent = text;
  return made;
}
