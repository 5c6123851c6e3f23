/** Makes ALERTS.md: every alert with its meaning and its first step. No I/O. */
import { fitTopology } from '@fit/contract';
import { planTopology } from '@fit/topology';
import { listRules } from '../rules/renderRules.ts';
import type { AlertRule } from '../rules/rule.ts';

const HEAD = `# Alerts

Generated from the rules by \`npm run rules\`. Critical alerts go to the receiver \`critical\` (the person on call is paged), warnings to
\`warning\` (a ticket for the same day), the Watchdog every minute to \`watchdog\`. Each name links to its runbook;
[on-call.md](on-call.md) prepares the shell for its commands. [FAULTS.md](FAULTS.md) says which fault raises which alert, and when.

| alert | severity | for | summary | meaning | first step |
| --- | --- | --- | --- | --- | --- |`;

/** @returns the text of ALERTS.md; alike for every profile. */
export function renderAlertDocument(): string {
  const declaration = fitTopology({ profile: 'default' });
  const plan = planTopology(declaration, { version: '4.3.6', hasManagement: true });
  const lines = listRules(plan).flatMap((rule) => ('alert' in rule ? [row(rule)] : []));
  return `${[HEAD, ...lines].join('\n')}\n`;
}

function row({ alert, labels, annotations, ...rule }: AlertRule): string {
  const cells = [
    `[${alert}](runbooks/${alert}.md)`,
    labels.severity,
    rule.for ?? '',
    withoutTemplates(annotations.summary),
    withoutTemplates(annotations.description),
    annotations.remedy,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** Prometheus fills in the templates when the alert fires; here they are an ellipsis. */
function withoutTemplates(text: string): string {
  return text.replaceAll(/\{\{.*?\}\}/g, '…');
}
