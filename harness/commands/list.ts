// `rollproof list`: the scenarios, for people and (--json) for programs.
import type { Command } from 'commander';
import { scenarios } from '../../scenarios/index.ts';
import { summaries } from './summaries.ts';

export function registerList(program: Command): void {
  program
    .command('list')
    .description(summaries.list)
    .option('--json', 'as JSON')
    .action((flags: { json?: boolean }) => {
      process.stdout.write(flags.json ? json() : text());
    });
}

function json(): string {
  const entries = scenarios.map(({ id, full, quick }) => ({
    id,
    title: full.title,
    question: full.question,
    source: full.source,
    group: full.group,
    variants: full.variants,
    cases: Object.fromEntries(
      Object.entries(full.cases).map(([name, { title, steps }]) => [
        name,
        { title, steps: steps ?? full.steps },
      ]),
    ),
    settings: full.settings,
    needs: full.needs,
    claims: full.claims,
    steps: { full: full.steps, quick: quick.steps },
  }));
  return `${JSON.stringify(entries, null, 2)}\n`;
}

function text(): string {
  const width = Math.max(...scenarios.map(({ id }) => id.length));
  return scenarios
    .map(
      ({ id, full }) =>
        `${id.padEnd(width)}  ${full.question}\n${' '.repeat(width)}  needs ${needs(full.needs)}\n`,
    )
    .join('');
}

function needs({ nodes, clusters, metrics }: (typeof scenarios)[number]['full']['needs']): string {
  return [`${nodes} ${nodes === 1 ? 'node' : 'nodes'}`, metrics && 'CPU metrics', clusters.join(' or ')]
    .filter(Boolean)
    .join(', ');
}
