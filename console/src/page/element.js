/** Makes elements from text and other elements. Text stays text: nothing here turns it into markup. */

/**
 * @param {string} name of the element, with classes after dots, such as `p.secondary`.
 * @param {...(Node | string | false)} children `false` is left out.
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
 * @param {Readonly<Record<string, string | false>>} facts terms and their descriptions; `false` is left out.
 * @returns {HTMLElement} a definition list.
 */
export function factList(facts) {
  const pairs = Object.entries(facts).flatMap(([name, value]) =>
    value === false ? [] : [element('div', element('dt', name), element('dd', value))],
  );
  return element('dl.facts', ...pairs);
}

/**
 * @param {number} ratio a value above 1 is shown as full.
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
 * @param {string} url comes from an alerting rule, so its protocol is checked here as well.
 * @param {string} text
 */
export function link(url, text) {
  const made = document.createElement('a');
  if (/^https?:\/\//.test(url)) made.href = url;
  made.rel = 'noreferrer';
  made.textContent = text;
  return made;
}
