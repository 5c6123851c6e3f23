/** The generated sections of documents: charts and tables of a topology. */
export { firstDifference, renderSections } from './documentSections.ts';
