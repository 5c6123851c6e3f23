/** What other workspaces use of the site: its pages, what they tell a reader to do, and a reader who does it. */
export {
  type CodeBlock,
  codeBlocks,
  pagePrograms,
  type ShellStep,
  shellSteps,
} from './codeBlocks.ts';
export { Reader } from './reader.ts';
export { readPages, readRepositoryFile } from './repository.ts';
