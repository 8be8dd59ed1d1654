// How deeply a YAML text is nested, looked at before it is parsed: parsers recurse, and a stack that ends inside of V8's
// regular expressions ends the process.
import { Lexer } from 'yaml';

/** Deeper than any configuration or manifest. */
const DEEPEST = 200;

/** Whether brackets, or dashes of one line, are nested more than {@link DEEPEST} deep. */
export function nestedTooDeeply(text: string): boolean {
  let brackets = 0;
  let onLine = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') brackets++;
    else if (token === ']' || token === '}') brackets--;
    else if (token === '-' || token === '?') onLine++;
    else if (token.includes('\n')) onLine = 0;
    if (brackets > DEEPEST || onLine > DEEPEST) return true;
  }
  return false;
}

export const nestingMessage = `is nested more than ${DEEPEST} deep`;
