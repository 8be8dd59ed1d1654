// The text of docs/scenarios.md. Pure.
import { expectationText } from '../harness/judge/claims.ts';
import type { ClaimResult, Results, ScenarioResult } from '../harness/model/results.ts';
import type { ClaimDefinition, Scenario, ScenarioDefinition } from '../harness/model/scenario.ts';
import { describeStep } from '../harness/words/steps.ts';

/** What follows is kept when the definitions are written anew. */
export const measuredMark = '<!-- measured -->';

export function definitionsText(definitions: readonly ScenarioDefinition[]): string {
  const group = (name: Scenario['group']) => definitions.filter(({ full }) => full.group === name);
  return [
    '# Scenarios',
    '',
    'Written by `npm run scenarios` from scenarios/*.ts; `rollproof list` shows the same. A claim marked *(expected to',
    'fail)* is published and not kept by today’s Kubernetes: it is tested literally, and the report says why it fails.',
    'Profile quick runs image-change, scale-up, scale-down, autoscale and rollback; its figures are shorter where both are',
    'given.',
    '',
    '## Connections under load',
    '',
    ...group('connections').map(scenarioText),
    '## How a Deployment rolls',
    '',
    ...group('rollout').map(scenarioText),
  ].join('\n');
}

function scenarioText({ id, full, quick }: ScenarioDefinition): string {
  const needs = [
    full.needs.nodes > 1 && `${full.needs.nodes} nodes for the target`,
    full.needs.metrics && 'CPU metrics',
    full.needs.images.length > 0 && `images ${full.needs.images.join(' and ')}`,
    full.needs.clusters.length < 3 && full.needs.clusters.join(' or '),
  ].filter(Boolean);
  const steps = (scenario: Scenario) => scenario.steps.map(describeStep).join('; ');
  const lines = [
    `### ${id}`,
    '',
    `**${full.title}.** ${full.question} Source: ${full.source}.`,
    '',
    `- Steps: ${steps(full)}`,
    ...(steps(quick) === steps(full) ? [] : [`- Steps of profile quick: ${steps(quick)}`]),
    `- Variants: ${full.variants.join(', ')}`,
    ...Object.entries(full.cases).map(
      ([name, { title, steps: own }]) =>
        `  - ${name}: ${title}${own ? `. Steps: ${own.map(describeStep).join('; ')}` : ''}`,
    ),
    ...(needs.length > 0 ? [`- Needs: ${needs.join(', ')}`] : []),
    '',
    '| claim | measured by | variant, lane | source |',
    '|---|---|---|---|',
    ...full.claims.map(({ text, that, appliesTo, source, expected, because }) => {
      const where = [appliesTo.variant, appliesTo.lane].filter(Boolean).join(', ') || 'all';
      const why = expected === 'fails' ? ` *(expected to fail: ${because ?? ''})*` : '';
      return `| ${cell(text + why)} | ${cell(that.map(expectationText).join(' and '))} | ${cell(where)} | ${cell(source)} |`;
    }),
    '',
  ];
  return lines.join('\n');
}

/** Several folders of one cluster are several runs of it; figures are those of the last. */
export function measuredText(results: readonly Results[]): string {
  if (results.length === 0) return `${measuredMark}\n## Measured\n\nNothing yet: give result folders.\n`;
  const clusters = [...new Set(results.map(({ cluster }) => cluster.kind))].sort();
  const names = [...new Set(results.flatMap(({ scenarios }) => scenarios.map(({ name }) => name)))];
  const of = (name: string, kind: string): readonly ScenarioResult[] =>
    results
      .filter(({ cluster }) => cluster.kind === kind)
      .flatMap(({ scenarios }) => scenarios.filter((scenario) => scenario.name === name));
  const versions = clusters.map((kind) => {
    const { cluster } = results.findLast((one) => one.cluster.kind === kind) as Results;
    return `${kind}: Kubernetes ${cluster.kubernetesVersion}${cluster.emulated ? ' (emulated)' : ''}`;
  });
  return [
    measuredMark,
    '## Measured',
    '',
    `${versions.join('; ')}. *n* is the number of runs that a verdict stands on; where runs differ, every verdict is listed.`,
    '',
    `| scenario | ${clusters.join(' | ')} |`,
    `|---|${clusters.map(() => '---').join('|')}|`,
    ...names.map(
      (name) => `| ${name} | ${clusters.map((kind) => verdictCell(of(name, kind))).join(' | ')} |`,
    ),
    '',
    ...names.flatMap((name) => claimsTable(name, clusters, of)),
  ].join('\n');
}

const earlierHeading = '### Earlier runs';

/**
 * What an older measured part says of scenarios that were not measured anew, word for word: its table's rows and its
 * figures, below a heading of their own.
 */
export function earlierText(
  measuredPart: string,
  anew: ReadonlySet<string>,
  defined: ReadonlySet<string>,
): string {
  const isKept = (name: string | undefined) => name !== undefined && defined.has(name) && !anew.has(name);
  const sections = measuredPart.split(/^(?=### )/m);
  const figures = sections.filter((text) => isKept(/^### (\S+), figures of the last run$/m.exec(text)?.[1]));
  const tables = sections.filter((text) => !figures.includes(text)).flatMap(overviewOf);
  const rows = tables.flatMap(({ head, body }) => {
    const kept = body.filter((row) => isKept(/^\| (\S+) \|/.exec(row)?.[1]));
    return kept.length > 0 ? [...head, ...kept, ''] : [];
  });
  if (rows.length === 0) return '';
  return [
    earlierHeading,
    '',
    'Not measured again since; figures of the runs before.',
    '',
    ...rows,
    ...figures,
  ].join('\n');
}

function overviewOf(text: string): { head: string[]; body: string[] }[] {
  const lines = text.split('\n');
  const from = lines.findIndex((line) => line.startsWith('| scenario |'));
  if (from < 0) return [];
  const rows = lines.slice(from).filter((line) => line.startsWith('|'));
  return [{ head: rows.slice(0, 2), body: rows.slice(2) }];
}

type Bound = Pick<ClaimResult, 'id' | 'expect'> & { readonly appliesTo: ClaimDefinition['appliesTo'] };

/** Results that stand for the scenarios as they are defined today: the same claims with the same bounds. */
export function ofToday(results: Results, definitions: readonly ScenarioDefinition[]): Results {
  const bounds = (claims: readonly Bound[]) =>
    JSON.stringify(
      claims.map(({ id, expect, appliesTo: { variant, lane } }) => [id, expect, variant, lane].join()).sort(),
    );
  const today = new Set(
    definitions.flatMap(({ full, quick }) =>
      [full, quick].map(
        ({ id, claims }) =>
          id +
          bounds(
            claims.map((claim) => ({
              id: claim.id,
              appliesTo: claim.appliesTo,
              expect: claim.that.map(expectationText).join(' and '),
            })),
          ),
      ),
    ),
  );
  return {
    ...results,
    scenarios: results.scenarios.filter(({ name, claims }) => today.has(name + bounds(claims))),
  };
}

function verdictCell(runs: readonly ScenarioResult[]): string {
  if (runs.length === 0) return 'not run';
  const counts = new Map<string, number>();
  for (const { verdict, rounds } of runs) counts.set(verdict, (counts.get(verdict) ?? 0) + (rounds?.of ?? 1));
  const verdicts = [...counts].map(([verdict, n]) => `${verdict}, n = ${n}`).join('; ');
  const last = runs.at(-1);
  return cell(
    last && ['proven', 'unneeded'].includes(last.verdict) ? verdicts : `${verdicts}: ${last?.reason}`,
  );
}

function claimsTable(
  name: string,
  clusters: readonly string[],
  of: (name: string, kind: string) => readonly ScenarioResult[],
): string[] {
  const last = clusters.map((kind) => of(name, kind).at(-1));
  const ids = [...new Set(last.flatMap((scenario) => scenario?.claims.map(({ id }) => id) ?? []))];
  if (ids.length === 0) return [];
  return [
    `### ${name}, figures of the last run`,
    '',
    `| claim | ${clusters.join(' | ')} |`,
    `|---|${clusters.map(() => '---').join('|')}|`,
    ...ids.map(
      (id) =>
        `| ${id} | ${last.map((scenario) => claimCell(scenario?.claims.find((claim) => claim.id === id))).join(' | ')} |`,
    ),
    '',
  ];
}

function claimCell(claim: ClaimResult | undefined): string {
  if (!claim) return '';
  const result = claim.result === 'fails' && claim.expected === 'fails' ? 'fails, as expected' : claim.result;
  return cell(`${result}: ${claim.measured}`);
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
