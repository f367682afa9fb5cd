/** What every report is made of: one file that needs no network and no other file. */
import { escapeHtml } from './escape.js';
import { style } from './style.js';

/** @param sections HTML; what is false is left out */
export function page(title: string, command: string | undefined, sections: readonly (string | false)[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<header><h1>${escapeHtml(title)}</h1>${command ? `<code>${escapeHtml(command)}</code>` : ''}</header>
${sections.filter(Boolean).join('\n')}
</body>
</html>
`;
}

/** @param content HTML */
export function section(title: string, content: string): string {
  return `<section><h2>${escapeHtml(title)}</h2>${content}</section>`;
}

export interface Picture {
  title: string;
  note?: string;
  png: Uint8Array;
}

/** A picture, below others or beside them. */
export function picture({ title, note, png }: Picture, place: 'below' | 'beside' = 'below'): string {
  const data = Buffer.from(png.buffer, png.byteOffset, png.byteLength).toString('base64');
  return `<figure${place === 'below' ? ' class="image"' : ''}><figcaption>${escapeHtml(title)}</figcaption><img alt="${escapeHtml(title)}" src="data:image/png;base64,${data}">${note ? `<p class="note">${escapeHtml(note)}</p>` : ''}</figure>`;
}

/** A table with a line for each entry. */
export function namesAndValues(entries: Readonly<Record<string, string | number | boolean>>): string {
  const lines = Object.entries(entries).map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`);
  return `<div class="scroll"><table><tbody>${lines.join('')}</tbody></table></div>`;
}
