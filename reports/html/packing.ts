// Parts that a page carries packed and unfolds when they are asked for: raw deflate in base64, read by page.js.
import { deflateRawSync } from 'node:zlib';
import { html, type Markup, trusted } from './markup.ts';

/**
 * Decides what stands in the page as it is and what is packed. Everything a reader must see stands in the page;
 * parts that can be packed do so too until the budget is used up, so that small reports need no script at all.
 */
export class Budget {
  #leftBytes: number;
  constructor(bytes: number) {
    this.#leftBytes = bytes;
  }

  /** The part itself while there is room, else packed with a sentence for readers without scripts. */
  place(part: Markup, what: string): Markup {
    if (part.text.length <= this.#leftBytes) {
      this.#leftBytes -= part.text.length;
      return part;
    }
    return packed(part, what);
  }
}

export function packed(part: Markup, what: string): Markup {
  return html`<div class="packed" data-packed="${trusted(pack(part.text))}"><noscript>${what}: shown by a script in this large report. The figures stand in the tables above, everything else in the journal.</noscript></div>`;
}

/** JSON for the page's script. */
export function packedJson(name: string, value: unknown): Markup {
  return html`<script type="text/plain" data-name="${name}">${trusted(pack(JSON.stringify(value)))}</script>`;
}

const pack = (text: string): string => deflateRawSync(Buffer.from(text), { level: 9 }).toString('base64');
