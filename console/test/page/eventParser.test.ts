/** Goal: events are parsed whole, wherever the network cuts the stream. Method: every cut of one stream. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventParser } from '../../src/page/eventParser.js';

const STREAM =
  'retry: 2000\n\nevent: status\nid: 7\ndata: {"a":1}\n\n: still here\n\ndata: x\ndata: y\n\n';
const EVENTS = [
  { name: 'status', id: '7', data: '{"a":1}' },
  { name: 'message', id: '', data: 'x\ny' },
];

test('a stream that is cut at any two places gives the same events', () => {
  for (let first = 0; first <= STREAM.length; first += 1)
    for (let second = first; second <= STREAM.length; second += 7) {
      const parser = new EventParser();
      const pieces = [STREAM.slice(0, first), STREAM.slice(first, second), STREAM.slice(second)];
      assert.deepEqual(
        pieces.flatMap((piece) => parser.push(piece)),
        EVENTS,
      );
    }
});

test('an unfinished event is not returned', () => {
  assert.deepEqual(new EventParser().push('event: status\ndata: half'), []);
});
