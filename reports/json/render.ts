// results.json: the judge's results as they are; its JSON Schema stands beside this file.
import type { Results } from '../../harness/model/results.ts';

export function renderJson(results: Results): string {
  return `${JSON.stringify(results, undefined, 2)}\n`;
}
