/** What both services agree on: the declaration, the payload and the workout, and how the environment is read. */

export { withInjuries } from '@fit/workout';
export { DateText, dayIn, isCalendarDay } from './calendarDay.ts';
export {
  ConfigError,
  checkEnvironment,
  checkedText,
  decimalNumber,
  type Environment,
  httpUrl,
  oneOf,
  optionalText,
  parseEnvironment,
  secret,
  text,
  wholeNumber,
} from './environment.ts';
export { type FitDeclaration, fitTopology, PRIORITIES, readFitTopology } from './fitTopology.ts';
export { CreateWodPayload, type CreateWodRequest, createWod } from './kinds/createWod.ts';
export {
  type EffectKind,
  type JobKind,
  PROFILES,
  type Profile,
  type ResultKind,
  type RunJob,
} from './kinds/jobKind.ts';
export { type FitKind, findKind, JOB_KINDS } from './kinds/registry.ts';
export { useNativeBroker } from './nativeBroker.ts';
export { distinctArray, PersonFields, ProfileFields, UserId } from './profile.ts';
export {
  CRON_SECRET_VARIABLES,
  CRON_VARIABLES,
  type CronConfig,
  readCronConfig,
} from './readCronConfig.ts';
export {
  LOG_LEVELS,
  readServerUrls,
  readServiceConfig,
  type ServiceConfig,
  serviceVariables,
  TRACING_VARIABLES,
} from './readServiceConfig.ts';
export {
  isSettingValue,
  RUNTIME_SETTINGS,
  type RuntimeSettings,
  retentionFault,
  SETTING_NAMES,
  type SettingName,
} from './runtimeSettings.ts';
export { findStoredWods } from './storedWods.ts';
export { passwordsOf, problemOfHttpUrl, SECRET_REMEDY, weaknessOfSecret } from './valueChecks.ts';
export {
  type Performance,
  PerformedResult,
  userIdOf,
  WODS_COLLECTION,
  Wod,
  type WodDocument,
  type WodJob,
  wodId,
  wodIdsOf,
  wodJobOf,
  wodKeyPattern,
  wodOf,
} from './wodDocument.ts';
