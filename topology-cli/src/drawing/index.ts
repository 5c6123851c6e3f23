/** The generated sections of a document: charts and tables of a topology. */
export { firstDifference, renderSections } from './sections.ts';
