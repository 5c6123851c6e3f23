/** PromQL → the names of the series that it reads. Held against Prometheus's own parser by the live test. */

/** What the regular expressions below would take for a name, and is none. */
const KEYWORDS = new Set([
  ...['and', 'or', 'unless', 'atan2', 'bool', 'offset', 'start', 'end', 'inf', 'nan'],
  ...['sum', 'min', 'max', 'avg', 'count', 'group', 'topk', 'bottomk', 'quantile', 'stddev'],
]);

/** Label lists, which hold names of labels only. */
const LABEL_LISTS = /\b(?:by|without|on|ignoring|group_left|group_right)\s*(?:\([^)]*\))?/g;

/** @returns each name once, in order of appearance. */
export function metricNames(expr: string): string[] {
  const bare = expr
    .replaceAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`/g, '""')
    .replaceAll(/#.*$/gm, ' ')
    .replaceAll(/\{[^}]*\}/g, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(LABEL_LISTS, ' ');
  const words = bare.matchAll(/(?<![\w:.$])([a-zA-Z_:][\w:]*)(\s*\()?/g);
  const names = [...words].flatMap(([, name = '', isCall]) =>
    isCall === undefined && !KEYWORDS.has(name.toLowerCase()) ? [name] : [],
  );
  return [...new Set(names)];
}
