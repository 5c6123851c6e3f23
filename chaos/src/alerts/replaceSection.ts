/** A generated section of a document: what stands between its two marks is replaced. */

/** @throws Error where the document has no such section. */
export function replaceSection(document: string, name: string, text: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [document.indexOf(open), document.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`the document has no section ${open} … ${close}`);
  return `${document.slice(0, from)}${open}\n${text}\n${document.slice(to)}`;
}
