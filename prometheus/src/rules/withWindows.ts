/** Rule as written → rule with the times of a table. */
import type { AlertRule, Rule } from './rule.ts';
import type { Range, Windows } from './windows.ts';

const RANGE = /\[(\w+)\]/g;

/**
 * Expressions stay PromQL that reads as it runs in production, so their ranges are found as text.
 * @throws RangeError for a range that the table does not have: a rule would else keep its length in a shortened test.
 */
export function withWindows(rule: Rule, windows: Windows): Rule<string> {
  const expr = rule.expr.replaceAll(RANGE, (_, range: string) => {
    if (!isRange(range, windows)) throw new RangeError(`no window [${range}]: ${rule.expr}`);
    return `[${windows.ranges[range]}]`;
  });
  return 'record' in rule ? { ...rule, expr } : { ...rule, expr, ...holdsOf(rule, windows) };
}

function holdsOf(
  rule: AlertRule,
  { holds }: Windows,
): Pick<AlertRule<string>, 'for' | 'keep_firing_for'> {
  const { for: pending, keep_firing_for: kept } = rule;
  return {
    ...(pending === undefined ? {} : { for: holds[pending] }),
    ...(kept === undefined ? {} : { keep_firing_for: holds[kept] }),
  };
}

function isRange(range: string, { ranges }: Windows): range is Range {
  return Object.hasOwn(ranges, range);
}
