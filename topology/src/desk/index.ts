/** The dead-letter desk: look at letters, move them into files and back, replay them. Knows only the broker. */
export { type DeathStep, journeyLines } from './deathHistory.ts';
export { type DeskBroker, deskBroker } from './deskBroker.ts';
export { type ExportOptions, type ExportReport, exportLetters } from './exportLetters.ts';
export { fingerprint } from './fingerprint.ts';
export { type FollowReport, followReplay } from './followReplay.ts';
export { type ImportOptions, type ImportReport, importLetters } from './importLetters.ts';
export { type Letter, type RawLetter, readLetter } from './letter.ts';
export { decodeLetter, encodeLetter, LetterFileError } from './letterFile.ts';
export { isMatch, type LetterFilter, parseMoment } from './letterFilter.ts';
export { type LetterGroup, LetterGroups } from './letterGroups.ts';
export { fileSink, type LetterSink, streamSink } from './letterSink.ts';
export { type LookOptions, lookThrough } from './lookThrough.ts';
export { DESK_HEADER, ownHeaders, type ReplayRun } from './ownHeaders.ts';
export { DEFAULT_HOLD_LIMIT } from './readBox.ts';
export { replayFile } from './replayFile.ts';
export { replayLetters } from './replayLetters.ts';
export {
  countOf,
  type ReplayEnd,
  type ReplayOptions,
  type ReplayReport,
  replayed,
} from './replayOptions.ts';
