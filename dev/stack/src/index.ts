/** The native stack's public names. */

export { isWrongOption } from './cli/isWrongOption.ts';
export { isStackName } from './cli/parseArguments.ts';
export type { RestartOptions, Stack } from './launch/stack.ts';
export { defaultFolder } from './launch/stackState.ts';
export { type StackOptions, startStack } from './launch/startStack.ts';
export { sweepFolder } from './launch/sweepFolder.ts';
export { withoutLogin } from './launch/withoutLogin.ts';
export { DEFAULT_PORTS, freePorts, portsFrom, portVariable, type StackPorts } from './ports.ts';
export { mustRun, type RunResult, runCommand, type StepOptions } from './process/runCommand.ts';
export {
  type Child,
  type ChildExit,
  type ChildOptions,
  startChild,
} from './process/startChild.ts';
export { stopOnSignal } from './process/stopOnSignal.ts';
export { ensureDatabaseTemplate } from './root/ensureDatabaseTemplate.ts';
export { ensureGateway, GATEWAY_PROGRAM } from './root/ensureGateway.ts';
export { dockerRootFolder, rootFolder } from './root/ensureRoot.ts';
export type { BrokerSuite } from './root/recipe.ts';
export { amtool, promtool, runTool, type ToolResult } from './root/runTool.ts';
export { ALERTMANAGER_LOGIN, alertmanagerFile } from './service/alertmanagerUser.ts';
export { brokerFile } from './service/brokerUser.ts';
export type { ServiceName } from './service/serviceDefinition.ts';
export { StackError, type StackErrorCode } from './stackError.ts';
export { NODE_FLAGS } from './system/nodeFlags.ts';
export { sampleUsers } from './system/sampleUsers.ts';
export {
  type Service,
  type System,
  type SystemOptions,
  startSystem,
} from './system/startSystem.ts';
export { type CoachPorts, freeCoachPorts } from './system/systemPorts.ts';
