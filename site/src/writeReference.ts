/** The reference of the packages, from their docstrings. */
import { join } from 'node:path';
import { Application, type TypeDocOptions } from 'typedoc';
import type { PluginOptions } from 'typedoc-plugin-markdown';
import { REPOSITORY, readRepositoryFile } from './repository.ts';

const PACKAGES = ['topology', 'jobs'];

/** Writes a page for each entry of each package. @throws Error if TypeDoc reports one. */
export async function writeReference(folder: string): Promise<void> {
  const entries = PACKAGES.flatMap(entriesOf);
  const options: TypeDocOptions & Partial<PluginOptions> = {
    entryPoints: entries.map(({ file }) => file),
    out: folder,
    basePath: REPOSITORY,
    tsconfig: join(REPOSITORY, 'site/tsconfig.reference.json'),
    plugin: ['typedoc-plugin-markdown'],
    readme: 'none',
    disableSources: true,
    excludeExternals: true,
    excludePrivate: true,
    skipErrorChecking: true,
    logLevel: 'Error',
    entryFileName: 'index',
    hideBreadcrumbs: true,
    hidePageHeader: true,
    router: 'module',
    useCodeBlocks: true,
  };
  const application = await Application.bootstrapWithPlugins(options);
  const project = await application.convert();
  if (project === undefined) throw new Error('TypeDoc could not read the sources');
  // TypeDoc names an entry by its file; readers know it by what they import.
  for (const entry of project.children ?? [])
    entry.name =
      entries.find(({ file }) => file === join(REPOSITORY, `${entry.name}.ts`))?.name ??
      entries.find(({ file }) => file === join(REPOSITORY, entry.name, 'index.ts'))?.name ??
      entry.name;
  await application.generateOutputs(project);
  if (application.logger.hasErrors()) throw new Error('TypeDoc reported an error');
}

/** The entries of a package are those of its `exports`. */
function entriesOf(folder: string): { readonly name: string; readonly file: string }[] {
  const { name, exports = {} } = JSON.parse(
    readRepositoryFile(`${folder}/package.json`) ?? '{}',
  ) as {
    name: string;
    exports?: Readonly<Record<string, { readonly '@fit/source'?: string }>>;
  };
  return Object.entries(exports).flatMap(([path, { '@fit/source': source }]) =>
    source === undefined
      ? []
      : [{ name: join(name, path), file: join(REPOSITORY, folder, source) }],
  );
}
