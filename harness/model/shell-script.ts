// The text of a shell script, as far as it can be told without running it.

const token = /'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\\[\s\S]|&&|\|\||[\s\S]/g;
const between = new Set(['&&', '||', ';', '\n']);

/** Its commands: what stands between `;`, `&&`, `||` and ends of lines that are not quoted. */
export function commandsOf(script: string): string[] {
  const parts = [''];
  for (const [text] of script.matchAll(token)) {
    if (between.has(text)) parts.push('');
    else parts[parts.length - 1] += text;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '' && !part.startsWith('#'));
}

/** With what is quoted left out: `;`, `&` and `|` in it are no operators. */
export const unquoted = (script: string): string =>
  script.replaceAll(token, (text) => (/^['"]./.test(text) ? '""' : text));
