/** What monolith and coach agree on. */
export { dayIn, isCalendarDay } from './calendarDay.ts';
export {
  CreateWodPayload,
  DateText,
  EQUIPMENT,
  EXCLUSIONS,
  LEVELS,
  ProfileFields,
  UserId,
} from './createWod.ts';
export { distinctArray } from './distinctArray.ts';
export {
  ConfigError,
  checkEnvironment,
  checkedText,
  type Environment,
  httpUrl,
  oneOf,
  optionalText,
  parseEnvironment,
  passwordsOf,
  problemOfHttpUrl,
  SECRET,
  share,
  text,
  wholeNumber,
} from './environment.ts';
export {
  type FitDeclaration,
  type FitKind,
  fitTopology,
  PROFILES,
  type Profile,
} from './fitTopology.ts';
export { useNativeBroker } from './nativeBroker.ts';
export { type CronConfig, readCronConfig } from './readCronConfig.ts';
export { readFitTopology } from './readFitTopology.ts';
export {
  LOG_LEVELS,
  readServerUrls,
  readServiceConfig,
  type ServiceConfig,
  serviceVariables,
  TRACING_VARIABLES,
} from './readServiceConfig.ts';
export { SECRET_REMEDY, weaknessOfSecret } from './secretStrength.ts';
export { WODS_COLLECTION, Wod, type WodDocument, wodId, wodOf } from './wodDocument.ts';
