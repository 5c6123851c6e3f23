/** One thing that an operator does, and what must then be so. */
import type { ComposeProject } from '../composeProject.ts';

export interface StepContext {
  readonly project: ComposeProject;
  /** What a step leaves for later ones, by name. */
  readonly facts: Map<string, string>;
  readonly say: (line: string) => void;
}

export interface Step {
  readonly title: string;
  /** @returns a figure for the log. @throws Error that says what is not so. */
  run(context: StepContext): Promise<string | undefined>;
}

/** The services of docker-compose.yml; `more-coaches` has no container until somebody wants more. */
export const SERVICES = [
  'rabbitmq',
  'mongo',
  'monolith',
  'coach',
  'cron',
  'prometheus',
  'alertmanager',
  'grafana',
] as const;
