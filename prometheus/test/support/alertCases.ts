/** The *.test.yml of the rules as data: when a case expects an alert to fire, and when it expects none. */
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

/** What one case expects of `ALERTS{…}` at one moment. */
interface Expectation {
  /** The labels that were asked for. */
  readonly selector: string;
  readonly atSeconds: number;
  readonly samples: readonly string[];
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** @returns the expectations of each case, in files' order. */
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

/** True where one case sees the alert quiet, then firing with all of these labels, then quiet again. */
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

/** An empty answer speaks for the alert only where nothing narrower was asked for. */
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
