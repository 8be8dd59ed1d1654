// What `rollproof harden` found, as a page: the sets that were measured, the choice, and the change. Pure.
import { html } from './markup.ts';
import { document } from './page.ts';
import { row, table } from './tables.ts';

/** The answer in parts, which terminal, page and pull request each set in their own way. */
export interface HardenPage {
  readonly tone: 'good' | 'warn' | 'bad';
  readonly headline: string;
  /** Workload, scenario and cluster. */
  readonly subject: string;
  /** The first row is the head. Empty: nothing was measured. */
  readonly cells: readonly (readonly string[])[];
  /** Row of `cells` that was chosen. */
  readonly chosen: number | undefined;
  readonly reasons: readonly string[];
  /** The change: a diff of files, or a patch. */
  readonly change: { readonly language: 'diff' | 'yaml'; readonly text: string } | undefined;
  readonly notes: readonly string[];
}

export function renderHardenPage(page: HardenPage): string {
  const { tone, headline, subject, cells, chosen, reasons, change, notes } = page;
  const [head = [], ...rows] = cells;
  return document(
    headline,
    html`<header class="top"><p class="brand">rollproof</p><p class="run">harden</p></header>
<main id="main">
<section class="answer ${tone}" aria-labelledby="answer">
<p class="kicker"><span>${subject}</span></p>
<h1 id="answer">${headline}</h1>
${reasons.length > 0 && html`<ul class="sure">${reasons.map((sentence) => html`<li>${sentence}</li>`)}</ul>`}
</section>
${
  rows.length > 0 &&
  html`<section aria-labelledby="measured"><h2 id="measured">What was measured</h2>
${table({
  caption: 'Each set of settings, with what it loses and what it costs; the chosen one is marked.',
  head,
  body: rows.map(([name, ...figures], index) =>
    row(index + 1 === chosen ? html`<b>✓ ${name}</b>` : name, ...figures),
  ),
})}</section>`
}
${change && html`<section aria-labelledby="change"><h2 id="change">The change</h2><pre><code>${change.text}</code></pre></section>`}
${notes.length > 0 && html`<section aria-labelledby="notes"><h2 id="notes">How it was made</h2><ul>${notes.map((sentence) => html`<li>${sentence}</li>`)}</ul></section>`}
</main>
<footer><p>This file is complete: it loads nothing from anywhere.</p></footer>`,
  );
}
