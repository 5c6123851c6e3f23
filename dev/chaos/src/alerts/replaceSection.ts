/** A generated section of a document: what stands between its two marks. */

/** @throws Error where the document has no such section. */
export function sectionOf(document: string, name: string): string {
  const { from, to } = placeOf(document, name);
  return document.slice(from, to);
}

/** @throws Error where the document has no such section. */
export function replaceSection(document: string, name: string, text: string): string {
  const { from, to } = placeOf(document, name);
  return `${document.slice(0, from)}\n${text}\n${document.slice(to)}`;
}

function placeOf(document: string, name: string): { readonly from: number; readonly to: number } {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [start, to] = [document.indexOf(open), document.indexOf(close)];
  if (start < 0 || to < start) throw new Error(`the document has no section ${open} … ${close}`);
  return { from: start + open.length, to };
}
