/** Generators of the monitoring configuration: declaration and targets in, configuration files out. */
export { DEFAULT_LINKS, type Links, readLinks } from './config/links.ts';
export { type AlertReceivers, ReceiverError, readReceivers } from './config/receivers.ts';
export { renderAlertmanager } from './config/renderAlertmanager.ts';
export { renderScrapeConfig, type ScrapeOptions } from './config/renderScrapeConfig.ts';
export {
  brokerTarget,
  COMPOSE_TARGETS,
  JOB_NAMES,
  type JobName,
  type MonitoringTargets,
  type NativePorts,
  nativeTargets,
  type Target,
} from './config/targets.ts';
export {
  type MonitoringOptions,
  renderMonitoringConfig,
  writeMonitoringConfig,
} from './config/writeMonitoringConfig.ts';
export { listRules, RULE_GROUP, renderRules } from './rules/renderRules.ts';
export type { AlertRule, RecordingRule, Rule, Severity } from './rules/rule.ts';
export { PRODUCTION_WINDOWS, SHORT_WINDOWS, type Windows } from './rules/windows.ts';
