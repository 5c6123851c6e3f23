/** Parses server-sent events from pieces of text, which may be cut anywhere. No I/O. */

/**
 * @typedef {object} ServerEvent
 * @property {string} name
 * @property {string} id
 * @property {string} data
 */

export class EventParser {
  #rest = '';

  /**
   * @param {string} piece
   * @returns {ServerEvent[]} the events that this piece completes, without comments and empty events.
   */
  push(piece) {
    const blocks = (this.#rest + piece).replaceAll('\r\n', '\n').split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.map(parseBlock).filter(({ data }) => data !== '');
  }
}

/** @param {string} block */
function parseBlock(block) {
  const event = { name: 'message', id: '', data: '' };
  /** @type {string[]} */
  const lines = [];
  for (const line of block.split('\n')) {
    const [, field = '', value = ''] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
    if (field === 'event') event.name = value;
    if (field === 'id') event.id = value;
    if (field === 'data') lines.push(value);
  }
  return { ...event, data: lines.join('\n') };
}
