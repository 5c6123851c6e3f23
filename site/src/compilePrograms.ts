/** Compiles the TypeScript of pages against the sources of the packages, with the compiler options of the repository. */
import { dirname, join } from 'node:path';
import ts from 'typescript';
import type { PageProgram } from './codeBlocks.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
/** The programs are compiled as if they stood here: the packages that they import are those of this workspace. */
const FOLDER = join(REPOSITORY, 'site/build/programs');

/** @returns one line for each error: page, line, message. */
export function compilePrograms(programs: readonly PageProgram[]): string[] {
  const texts = new Map(programs.map((program) => [pathOf(program), program] as const));
  const folders = new Set([...texts.keys()].map(dirname));
  const options: ts.CompilerOptions = {
    ...repositoryOptions(),
    // A block without an import is a module, too: top-level names of two blocks have nothing in common.
    moduleDetection: ts.ModuleDetectionKind.Force,
  };
  const host = ts.createCompilerHost(options);
  const program = ts.createProgram({
    rootNames: [...texts.keys()],
    options,
    host: {
      ...host,
      fileExists: (path) => texts.has(path) || host.fileExists(path),
      readFile: (path) => texts.get(path)?.code ?? host.readFile(path),
      directoryExists: (path) => folders.has(path) || (host.directoryExists?.(path) ?? true),
      getSourceFile: (path, ...how) => {
        const code = texts.get(path)?.code;
        return code === undefined
          ? host.getSourceFile(path, ...how)
          : ts.createSourceFile(path, code, how[0], true);
      },
    },
  });
  return [...texts].flatMap(([path, { page }]) => {
    const file = program.getSourceFile(path);
    if (file === undefined) return [`${page}: is not part of the program`];
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ start = 0, messageText }) =>
        `${page}:${file.getLineAndCharacterOfPosition(start).line + 1}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    );
  });
}

function pathOf({ page, fileName, line }: PageProgram): string {
  return join(FOLDER, page.replaceAll(/[^\w]/g, '_'), fileName ?? `line${line}.ts`);
}

function repositoryOptions(): ts.CompilerOptions {
  const path = join(REPOSITORY, 'tsconfig.json');
  const { config } = ts.readConfigFile(path, (name) => ts.sys.readFile(name)) as {
    config: { compilerOptions: object };
  };
  const { options, errors } = ts.convertCompilerOptionsFromJson(config.compilerOptions, REPOSITORY);
  const [error] = errors;
  if (error !== undefined) throw new Error(ts.flattenDiagnosticMessageText(error.messageText, ' '));
  return options;
}
