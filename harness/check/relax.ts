// YAML 1.2 wants every line of a quoted text or of brackets to stand deeper than its key; the parser of kubectl does not.

/**
 * The text with such lines moved in, and tabs at their beginning made spaces: lines keep their numbers, and quoted texts
 * what they say (a line's own indentation is no part of them). Comments and block texts are left alone.
 */
export function relax(text: string): string {
  const lines = text.split('\n');
  let quote: '"' | "'" | undefined;
  let depth = 0;
  let indent = 0;
  let block: number | undefined;
  return lines
    .map((line) => {
      const own = line.search(/[^ \t\r]/);
      if (quote === undefined && depth === 0) {
        if (block !== undefined && (own === -1 || own > block)) return line;
        block = undefined;
        indent = Math.max(0, own);
      }
      const inside = quote !== undefined || depth > 0;
      const lead = /^[ \t]*/.exec(line)![0];
      const moved =
        inside && own !== -1 && (own <= indent || lead.includes('\t'))
          ? ' '.repeat(Math.max(indent + 1, lead.replaceAll('\t', '  ').length)) + line.slice(lead.length)
          : line;
      for (let at = 0; at < line.length; at++) {
        const character = line[at];
        if (quote === '"') {
          if (character === '\\') at++;
          else if (character === '"') quote = undefined;
        } else if (quote === "'") {
          if (character === "'" && line[at + 1] === "'") at++;
          else if (character === "'") quote = undefined;
        } else if (character === '#' && (at === 0 || /\s/.test(line[at - 1]!))) break;
        else if ((character === '"' || character === "'") && opens(line, at)) quote = character;
        else if ((character === '{' || character === '[') && (depth > 0 || opens(line, at))) depth++;
        else if ((character === '}' || character === ']') && depth > 0) depth--;
      }
      if (quote === undefined && depth === 0 && /(^|[\s:-])[|>][-+\d]*\s*(#.*)?$/.test(line)) block = indent;
      return moved;
    })
    .join('\n');
}

/** A quote or bracket begins a value only behind a key, a dash, a bracket or a comma. */
function opens(line: string, at: number): boolean {
  const before = line.slice(0, at).trimEnd();
  return before === '' || /[:\-,[{]$/.test(before) || /^-+$/.test(before);
}
