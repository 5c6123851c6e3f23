/** Goal: metric names are found at every place of a PromQL expression. Method: the forms that FIT uses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricNames } from '../support/metricNames.ts';

const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['up', ['up']],
  ['vector(1)', []],
  ['queue:fill:ratio{queue=~"$queue"} >= 0.7', ['queue:fill:ratio']],
  ['sum by (le, queue) (rate(a_bucket{x="b_total"}[5m]))', ['a_bucket']],
  ['sum(a) by (b) / on (c) group_left (d) max without (e) (f)', ['a', 'f']],
  ['a and on () b unless on (vhost, queue) c or vector(0)', ['a', 'b', 'c']],
  ['absent(a{job="x"}) or a offset 5m == bool 1e3', ['a']],
  ['{__name__="a"} # b', []],
  ["label_replace(a, 'b', '$1', 'c', '(.*)')", ['a']],
  ['increase(a[$__range]) - 2 * time() + Inf', ['a']],
  ['topk(5, sum by (type) (a))', ['a']],
];

for (const [expr, names] of CASES)
  test(expr, () => {
    assert.deepEqual(metricNames(expr), names);
  });
