/** Is a broker's behaviour the planned one? Probes down every path of scratch virtual hosts, compared with the plan. */
export type { Probe, ProbeFate } from './probe.ts';
export type { PathReport, VerifyReport } from './report.ts';
export { describeScaling, type Scale, scaleDeclaration, type Turn } from './scaleDeclaration.ts';
export type { Leftover } from './silence.ts';
export type { AssertedTurn } from './turnRun.ts';
export { type VerifyOptions, type VerifyProgress, verifyTopology } from './verifyTopology.ts';
export type { Visit, VisitedLetter, Way } from './way.ts';
