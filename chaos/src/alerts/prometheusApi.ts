/** What Prometheus itself thinks, asked over its API. */
export interface RuleAlert {
  /** 'pending' or 'firing'. */
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** @throws Error where Prometheus does not answer. */
export async function activeAlerts(prometheusUrl: string): Promise<RuleAlert[]> {
  const reply = await fetch(new URL('/api/v1/alerts', prometheusUrl));
  const { data } = (await reply.json()) as { data: { alerts: RuleAlert[] } };
  return data.alerts;
}

/** @returns rules that cannot be evaluated, each with its reason; none is right. */
export async function unhealthyRules(prometheusUrl: string): Promise<string[]> {
  const reply = await fetch(new URL('/api/v1/rules', prometheusUrl));
  const { data } = (await reply.json()) as {
    data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
  };
  return data.groups
    .flatMap(({ rules }) => rules)
    .filter(({ health }) => health === 'err')
    .map(({ name, lastError = '' }) => `${name}: ${lastError}`);
}
