/** Goal: processor time of a process tree is complete. Method: lines of /proc/PID/stat as the kernel writes them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ProcessStat, parseProcessStat, sumTrees } from '../src/processUsage.ts';

test('fields are counted behind the command, which may contain blanks and brackets', () => {
  const line = '42 (postgres: a) b (c) S 7 42 42 0 -1 4194304 1 2 3 4 150 25 300 75 20 0 1 0';
  assert.deepEqual(parseProcessStat(line), {
    pid: 42,
    parentPid: 7,
    ownMs: 1_750,
    endedChildrenMs: 3_750,
  });
});

test('a tree has the time of its living and of its ended descendants, and of no other process', () => {
  const stats: ProcessStat[] = [
    { pid: 1, parentPid: 0, ownMs: 1_000, endedChildrenMs: 1_000 },
    { pid: 10, parentPid: 1, ownMs: 1, endedChildrenMs: 20 },
    // The child has a lower id than its parent, as after the ids have wrapped around.
    { pid: 5, parentPid: 10, ownMs: 300, endedChildrenMs: 4_000 },
    { pid: 12, parentPid: 1, ownMs: 50_000, endedChildrenMs: 0 },
  ];
  assert.deepEqual(sumTrees(stats, [[10], [12], [5, 12], [99]]), [4_321, 50_000, 54_300, 0]);
});
