/** Of the report; charts that stand alone take it along. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1d2329; --faint: #6b7480; --line: #d8dde3;
  --ours: #0b6bcb; --variant: #7fb2e5; --peer: #9aa5b1; --yardstick: #d9a441; --second: #b3541e; --third: #3b8f4f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14181d; --text: #e4e8ec; --faint: #98a2ad; --line: #333b45;
    --ours: #57a5f2; --variant: #2f5f8f; --peer: #5d6873; --yardstick: #b58a35; --second: #e08a55; --third: #6cc080;
  }
}
body { margin: 2rem auto; padding: 0 1rem; max-width: 60rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; }
a { color: var(--ours); }
.method, small { color: var(--faint); }
.wide { overflow-x: auto; }
.wide svg { min-width: 32rem; }
svg { width: 100%; height: auto; font: 13px system-ui, 'DejaVu Sans', sans-serif; }
svg text { fill: var(--text); }
svg .case { font-weight: 600; }
svg .label { text-anchor: end; fill: var(--faint); }
svg .tick { text-anchor: middle; fill: var(--faint); }
svg .bar { fill: var(--peer); }
svg .ours { fill: var(--ours); }
svg .variant { fill: var(--variant); }
svg .yardstick { fill: var(--yardstick); }
svg .spread { stroke: var(--text); stroke-width: 1.5; }
svg .grid { stroke: var(--line); }
svg .curve { fill: none; stroke: var(--ours); stroke-width: 2; }
svg circle.curve { fill: var(--page); }
svg .curve-1 { stroke: var(--peer); } svg .curve-2 { stroke: var(--second); } svg .curve-3 { stroke: var(--third); }
svg .legend-0 { fill: var(--ours); } svg .legend-1 { fill: var(--faint); }
svg .legend-2 { fill: var(--second); } svg .legend-3 { fill: var(--third); }
table { border-collapse: collapse; font-size: 0.85rem; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap;
  vertical-align: top; }
th[scope='row'] { text-align: left; }
td small { display: block; }
.best, td.best b { text-decoration: underline; text-decoration-color: var(--ours); text-decoration-thickness: 2px; }
summary { cursor: pointer; }
`;
