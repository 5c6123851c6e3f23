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
  type FitDeclaration,
  type FitKind,
  fitTopology,
  PROFILES,
  type Profile,
} from './fitTopology.ts';
export { readFitTopology } from './readFitTopology.ts';
export {
  ConfigError,
  type Environment,
  EnvironmentReader,
  readServiceConfig,
  type ServiceConfig,
} from './readServiceConfig.ts';
export { SECRET_REMEDY, weaknessOfSecret } from './secretStrength.ts';
export { WODS_COLLECTION, Wod, type WodDocument, wodId, wodOf } from './wodDocument.ts';
