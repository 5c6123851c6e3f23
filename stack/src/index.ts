/** The native stack's public names. */

export { isWrongOption } from './cli/isWrongOption.ts';
export type { Stack } from './launch/stack.ts';
export { type StackOptions, startStack } from './launch/startStack.ts';
export { stopStack } from './launch/stopStack.ts';
export { DEFAULT_PORTS, freePorts, type StackPorts } from './ports.ts';
export { onStopSignal } from './process/onStopSignal.ts';
export {
  type Child,
  type ChildExit,
  type ChildOptions,
  startChild,
} from './process/startChild.ts';
export { rootFolder } from './root/ensureRoot.ts';
export type { BrokerSuite } from './root/recipe.ts';
export { amtool, promtool, runTool, type ToolResult } from './root/runTool.ts';
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
