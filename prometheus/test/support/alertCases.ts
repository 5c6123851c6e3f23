/** The *.test.yml of the rules as data: at which moments a case expects an alert to fire, and at which not. */
import { parse } from 'yaml';

interface CaseFile {
  readonly tests: readonly {
    readonly promql_expr_test?: readonly {
      readonly expr: string;
      readonly eval_time: string;
      readonly exp_samples: readonly { readonly labels: string }[];
    }[];
  }[];
}

/** The expectation of a case for `ALERTS{…}` at one moment. */
interface Expectation {
  /** The label matchers of the query. */
  readonly selector: string;
  readonly atSeconds: number;
  readonly samples: readonly string[];
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** @returns the expectations of each case, in the order of the file. */
export function readAlertCases(text: string): readonly (readonly Expectation[])[] {
  const { tests } = parse(text) as CaseFile;
  return tests.map(({ promql_expr_test: expectations = [] }) =>
    expectations.flatMap(({ expr, eval_time, exp_samples }) => {
      const selector = /^ALERTS\{(.*)\}$/.exec(expr)?.[1];
      if (selector === undefined) return [];
      const samples = exp_samples.map(({ labels }) => labels);
      return [{ selector, atSeconds: secondsOf(eval_time), samples }];
    }),
  );
}

/** True if the case sees the alert quiet, then firing with all of these labels, then quiet again. */
export function firesAndRecovers(
  expectations: readonly Expectation[],
  alert: string,
  labels: Readonly<Record<string, string>>,
): boolean {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const quiet = expectations.filter(
    ({ selector, samples }) => selectsAll(selector, alert, wanted) && samples.length === 0,
  );
  const fires = expectations.filter(({ samples }) =>
    samples.some(
      (sample) =>
        sample.includes(`alertname="${alert}", alertstate="firing"`) &&
        wanted.every((one) => sample.includes(one)),
    ),
  );
  return fires.some(
    ({ atSeconds }) =>
      quiet.some((one) => one.atSeconds < atSeconds) &&
      quiet.some((one) => one.atSeconds > atSeconds),
  );
}

/** An empty result proves that the alert is quiet only if the query has no narrower matchers. */
function selectsAll(selector: string, alert: string, wanted: readonly string[]): boolean {
  const asked = selector.split(/,\s*/);
  const allowed = [`alertname="${alert}"`, 'alertstate="firing"', ...wanted];
  return asked.includes(`alertname="${alert}"`) && asked.every((one) => allowed.includes(one));
}

function secondsOf(duration: string): number {
  const parts = duration.matchAll(/(\d+)([smhd])/g);
  return [...parts].reduce(
    (sum, [, count, unit = 's']) => sum + Number(count) * (UNIT_SECONDS[unit] ?? 0),
    0,
  );
}
