/** The native stack's public names. */
export type { RestartOptions, Stack } from './launch/runningStack.ts';
export { defaultFolder, isStackName, withoutLogin } from './launch/stackFolder.ts';
export { type StackOptions, startStack } from './launch/startStack.ts';
export {
  type CoachPorts,
  DEFAULT_PORTS,
  freeCoachPorts,
  freePorts,
  portsFrom,
  portVariable,
  type StackPorts,
} from './ports.ts';
export { killProcessesOnFolder } from './process/processTable.ts';
export { mustRun, type RunResult, runCommand, type StepOptions } from './process/runCommand.ts';
export {
  type Child,
  type ChildExit,
  type ChildOptions,
  startChild,
} from './process/startChild.ts';
export { INTERRUPTED_EXIT_CODE, isOptionError, stopOnSignal } from './process/stopOnSignal.ts';
export { buildOnce } from './root/buildOnce.ts';
export { type BrokerSuite, dockerRootFolder, rootFolder } from './root/rootFolders.ts';
export { ALERTMANAGER_LOGIN, alertmanagerFile } from './servers/alertmanager.ts';
export { ensureGateway, GATEWAY_PROGRAM } from './servers/gateway.ts';
export { ensureDatabaseTemplate } from './servers/postgresql.ts';
export { amtool, promtool, type ToolResult } from './servers/prometheus.ts';
export { brokerFile } from './servers/rabbitmq.ts';
export type { ServerName } from './servers/serverDefinition.ts';
export { StackError, type StackErrorCode } from './stackError.ts';
export { administratorFile, bootstrapSecretFile, cronSecretFile } from './system/administrator.ts';
export { type SampleUser, sampleUsers } from './system/sampleUsers.ts';
export {
  NODE_FLAGS,
  PROCESS_ENVIRONMENT,
  type Service,
  type System,
  type SystemOptions,
  startSystem,
  V8_FLAGS,
} from './system/startSystem.ts';
