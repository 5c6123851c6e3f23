/** Generators of the monitoring configuration: declaration and targets in, configuration files out. */
export { JOB_NAMES, type JobName } from './config/jobNames.ts';
export { DEFAULT_PAGES, type Pages, readPages } from './config/pages.ts';
export { type AlertReceivers, ReceiverError, readReceivers } from './config/receivers.ts';
export { renderAlertmanager } from './config/renderAlertmanager.ts';
export { renderScrapeConfig, type ScrapeOptions } from './config/renderScrapeConfig.ts';
export {
  brokerTarget,
  COMPOSE_TARGETS,
  type MonitoringTargets,
  type NativePorts,
  nativeTargets,
  type Target,
} from './config/targets.ts';
export {
  type MonitoringOptions,
  renderMonitoringConfig,
} from './generate/renderMonitoringConfig.ts';
export { writeMonitoringConfig } from './generate/writeMonitoringConfig.ts';
export { RULE_GROUP, renderRules, rulesOf } from './rules/renderRules.ts';
export type { AlertRule, RecordingRule, Rule, Severity } from './rules/rule.ts';
export { PRODUCTION_WINDOWS, SHORT_WINDOWS, type Windows } from './rules/windows.ts';
