/** Elements of HTML that have no end. */
const VOID: ReadonlySet<string> = new Set(['meta', 'br', 'img', 'link']);

/** Checks that every element of a page is closed where it was opened, and returns how many there are of each. */
export function countElements(html: string): Map<string, number> {
  const counts = new Map<string, number>();
  const open: string[] = [];
  const text = html.replace(/^<!doctype html>/, '').replace(/<style>[^<]*<\/style>/g, '');
  for (const [tag, closing = '', name = '', rest = ''] of text.matchAll(
    /<(\/?)([a-z0-9]+)((?:\s[^<>]*)?)>/g,
  )) {
    if (closing === '/') {
      const opened = open.pop();
      if (opened !== name) throw new Error(`${tag} closes ${opened ?? 'nothing'}`);
      continue;
    }
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (!VOID.has(name) && !rest.endsWith('/')) open.push(name);
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join(' ')}`);
  // What is left once elements and entities are taken away must not look like markup.
  const stray = text.replace(/<\/?[a-z0-9]+(?:\s[^<>]*)?>/g, '').replace(/&(amp|lt|gt|quot);/g, '');
  if (/[<>&]/.test(stray)) throw new Error(`stray markup: ${/.{0,20}[<>&].{0,20}/.exec(stray)?.[0] ?? ''}`);
  return counts;
}
