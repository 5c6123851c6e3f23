/** Spring AMQP, which needs Maven and a Java compiler on the machine: without them its column says so. */
import { mkdir, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { runCommand } from '@fit/stack';
import type { Library } from './libraries.ts';

const FOLDER = join(import.meta.dirname, 'spring');
const SOURCES = ['SpringConsumer.java', 'SpringPublisher.java', 'Work.java'];
const SPRING_AMQP_JAR = /spring-rabbit-(.+)[.]jar$/;

/**
 * Fetches Spring AMQP by Maven and compiles consumer and publisher.
 * @param folder for the classes; it must exist.
 * @returns the reason as text if that is not possible here.
 */
export async function prepareSpring(folder: string): Promise<Library | string> {
  const classes = join(folder, 'classes');
  const pathFile = join(folder, 'classpath');
  await mkdir(classes, { recursive: true });
  const fetched = await runCommand([
    'mvn',
    '-q',
    '-B',
    '-f',
    join(FOLDER, 'pom.xml'),
    'dependency:build-classpath',
    `-Dmdep.outputFile=${pathFile}`,
  ]);
  if (fetched.code !== 0) return `Maven could not fetch it (exit code ${fetched.code})`;
  const jars = await readFile(pathFile, 'utf8');
  const compiled = await runCommand([
    'javac',
    '-parameters',
    '-cp',
    jars,
    '-d',
    classes,
    ...SOURCES.map((name) => join(FOLDER, name)),
  ]);
  if (compiled.code !== 0) return `javac failed: ${compiled.output}`;
  const classpath = `${classes}${delimiter}${jars}`;
  const version = jars
    .split(delimiter)
    .map((jar) => SPRING_AMQP_JAR.exec(jar)?.[1])
    .find((found) => found !== undefined);
  return {
    name: 'Spring AMQP',
    version: version ?? '',
    source: join('spring', 'SpringConsumer.java'),
    consumer: ['java', '-cp', classpath, 'SpringConsumer'],
    publisher: ['java', '-cp', classpath, 'SpringPublisher'],
    notes: [
      'Its documented retries are those of its retry interceptor: they wait in memory and hold the thread and the message meanwhile. So a killed worker forgets how many attempts were made, and ten waiting messages stop a consumer of ten threads. Waits in queues are possible with its queue builder, and are then written by hand as in the other columns.',
      'Its lines are Java, formatted at 100 columns by hand; 23 of them are imports.',
    ],
  };
}
