/** The report's style sheet; it follows the reader's light or dark setting and prints. */
export const style = `
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2128; --faint: #667080; --line: #dde1e7; --panel: #f6f7f9;
  --c0: #0068b0; --c1: #c65102; --c2: #00825f; --c3: #a8468b; --c4: #8a6d00; --c5: #2f8fbf; --c6: #5b5ea6; --c7: #4d5561; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171c; --ink: #e4e7ec; --faint: #97a1b0; --line: #2e343d; --panel: #1c2027;
  --c0: #58aef0; --c1: #ff9350; --c2: #37c99b; --c3: #e08cc8; --c4: #e0bc3c; --c5: #8ad0f5; --c6: #a3a6f0; --c7: #b6bfcc; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 1.15rem; margin: 2.75rem 0 0.9rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 0.5rem; }
code, pre { font: 13px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
header code { color: var(--faint); overflow-wrap: anywhere; }
.note { color: var(--faint); font-size: 0.88rem; margin: 0.4rem 0; max-width: 75ch; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 0.45rem 0.7rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: middle; white-space: nowrap; }
th { color: var(--faint); font-weight: 600; font-size: 0.82rem; }
td.number, th.number { text-align: right; }
td small { color: var(--faint); display: block; }
tr.ours td { font-weight: 600; }
td.worst { color: var(--c1); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 1.25rem; }
figure { margin: 0; padding: 0.9rem 1rem; background: var(--panel); border-radius: 10px; }
figure + figure.image { margin-top: 1.25rem; }
.charts + * { margin-top: 1.25rem; }
figcaption { font-weight: 600; margin-bottom: 0.5rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--faint); font-size: 12px; dominant-baseline: middle; }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
.grid { stroke: var(--line); }
.curve path { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.curve circle { fill: currentColor; }
.bar rect { fill: currentColor; opacity: 0.75; }
.bar path { fill: none; stroke: var(--ink); stroke-width: 1.5; }
.interval { width: 150px; height: 22px; }
.interval line { stroke: currentColor; stroke-width: 2; }
.interval .track { stroke: var(--line); stroke-width: 1; }
.interval circle { fill: currentColor; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; margin: 0.5rem 0 0; padding: 0; font-size: 0.85rem; }
.legend li { color: var(--ink); }
.legend li::before { content: ""; display: inline-block; width: 0.7em; height: 0.7em; border-radius: 50%; margin-right: 0.45em; background: var(--colour); }
${Array.from({ length: 8 }, (_, number) => `.c${number} { color: var(--c${number}); --colour: var(--c${number}); }`).join('\n')}
img { display: block; max-width: 100%; height: auto; image-rendering: pixelated; border-radius: 6px; }
pre { overflow-x: auto; padding: 1rem; background: var(--panel); border-radius: 10px; }
summary { cursor: pointer; font-weight: 600; }
@media print { body { max-width: none; padding: 0; } figure { break-inside: avoid; } }
`;
