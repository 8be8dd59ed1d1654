// Parts that a page carries packed and unfolds when they are asked for: raw deflate in base64, read by browser.js.
import { deflateRawSync } from 'node:zlib';
import { html, type Markup, trusted } from './markup.ts';

export function packed(part: Markup, what: string): Markup {
  return html`<div class="packed" data-packed="${trusted(pack(part.text))}"><noscript>${what}: shown by a script in this large report. The figures stand in the tables, everything else in the journals.</noscript></div>`;
}

/** JSON for the page's script. No `<` in it, so that no text can end the element. */
export function embeddedJson(name: string, value: unknown): Markup {
  return html`<script type="application/json" data-name="${name}">${trusted(JSON.stringify(value).replaceAll('<', '\\u003c'))}</script>`;
}

/** A part of the page in several forms, from the smallest to the one that stands wholly open. */
export type Forms = readonly (() => Markup)[];

/**
 * Chooses a form for each part so that all together take at most `bytes`: first every part in its smallest form,
 * then the next one for as many as fit, in the given order (the most important first), and so on.
 */
export function chooseForms(parts: readonly Forms[], bytes: number): readonly Markup[] {
  const chosen = parts.map((forms) => ({ level: 0, markup: forms[0]!() }));
  let leftBytes = bytes - chosen.reduce((sum, { markup }) => sum + markup.text.length, 0);
  const levels = Math.max(0, ...parts.map((forms) => forms.length));
  for (let level = 1; level < levels && leftBytes > 0; level++) {
    parts.forEach((forms, i) => {
      const form = forms[level];
      if (!form || chosen[i]!.level !== level - 1 || leftBytes <= 0) return;
      const markup = form();
      const growsBytes = markup.text.length - chosen[i]!.markup.text.length;
      if (growsBytes > leftBytes) return;
      leftBytes -= growsBytes;
      chosen[i] = { level, markup };
    });
  }
  return chosen.map(({ markup }) => markup);
}

const pack = (text: string): string => deflateRawSync(Buffer.from(text), { level: 9 }).toString('base64');
