// JUnit XML as CI systems read it: a test suite per scenario, a test case per claim.
import type { ClaimResult, Results, ScenarioResult } from '../harness/model/results.ts';

interface Case {
  readonly name: string;
  readonly kind: 'passed' | 'failed' | 'error' | 'skipped';
  readonly message: string;
  readonly detail: string;
}

export function renderJunit(results: Results): string {
  const suites = results.scenarios.map((scenario) => ({ scenario, cases: casesOf(scenario) }));
  const all = suites.flatMap((suite) => suite.cases);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="rollproof" ${totals(all)} time="${seconds(results.durationMs)}">`,
    ...suites.flatMap(({ scenario, cases }) => suiteLines(scenario, cases, results)),
    '</testsuites>',
    '',
  ].join('\n');
}

function suiteLines(scenario: ScenarioResult, cases: readonly Case[], results: Results): readonly string[] {
  const { cluster } = results;
  const timeMs = scenario.experiments.reduce((sum, experiment) => sum + experiment.durationMs, 0);
  const properties: readonly (readonly [string, string])[] = [
    ['verdict', scenario.verdict],
    ['reason', scenario.reason],
    ...(scenario.direct ? ([['direct', scenario.direct.verdict]] as const) : []),
    ['cluster', cluster.kind],
    ['kubernetes', cluster.kubernetesVersion],
    ['emulated', String(cluster.emulated)],
    ['reproduce', results.reproduce],
  ];
  return [
    `  <testsuite name="${xml(scenario.name)}" ${totals(cases)} time="${seconds(timeMs)}" timestamp="${xml(results.startedAt.replace(/(\.\d+)?Z$/, ''))}">`,
    '    <properties>',
    ...properties.map(([name, value]) => `      <property name="${name}" value="${xml(value)}"/>`),
    '    </properties>',
    ...cases.flatMap((one) => caseLines(one, scenario, timeMs / Math.max(1, cases.length))),
    '  </testsuite>',
  ];
}

function caseLines(one: Case, scenario: ScenarioResult, timeMs: number): readonly string[] {
  const open = `    <testcase name="${xml(one.name)}" classname="rollproof.${xml(scenario.name)}" time="${seconds(timeMs)}"`;
  switch (one.kind) {
    case 'passed':
      return [`${open}>`, `      <system-out>${xml(one.detail)}</system-out>`, '    </testcase>'];
    case 'skipped':
      return [`${open}>`, `      <skipped message="${xml(one.message)}"/>`, '    </testcase>'];
    case 'failed':
      return [
        `${open}>`,
        `      <failure type="claim" message="${xml(one.message)}">${xml(one.detail)}</failure>`,
        '    </testcase>',
      ];
    case 'error':
      return [
        `${open}>`,
        `      <error type="faulted" message="${xml(one.message)}">${xml(one.detail)}</error>`,
        '    </testcase>',
      ];
  }
}

/** A scenario that faulted or has no claims becomes one case, so that it never disappears from a CI's list. */
function casesOf(scenario: ScenarioResult): readonly Case[] {
  const claims = [
    ...directCases(scenario),
    ...changeCases(scenario),
    ...scenario.claims.map((claim) => claimCase(claim, scenario)),
    ...(scenario.variantsNotRun ?? []).map(({ variant, reason }): Case => {
      const message = `variant ${variant} was ${reason}`;
      return { name: `variant ${variant}`, kind: 'skipped', message, detail: message };
    }),
  ];
  if (scenario.verdict === 'faulted') {
    return [
      { name: 'the experiments ran', kind: 'error', message: scenario.reason, detail: scenario.reason },
      ...claims,
    ];
  }
  if (claims.length > 0) return claims;
  const kind =
    scenario.verdict === 'refuted' ? 'failed' : scenario.verdict === 'proven' ? 'passed' : 'skipped';
  return [
    {
      name: scenario.title,
      kind,
      message: `${scenario.verdict}: ${scenario.reason}`,
      detail: scenario.reason,
    },
  ];
}

/** Somebody's own workload: that it loses nothing as it is. */
function directCases({ direct }: ScenarioResult): readonly Case[] {
  if (!direct) return [];
  const kinds = { safe: 'passed', loses: 'failed', inconclusive: 'skipped' } as const;
  return [
    {
      name: 'as-is: nothing is lost as it is',
      kind: kinds[direct.verdict],
      message: `${direct.verdict}: ${direct.reason}`,
      detail: direct.reason,
    },
  ];
}

/** What others changed while it was watched: each change loses nothing, or fails. */
function changeCases({ experiments }: ScenarioResult): readonly Case[] {
  const kinds = {
    clean: 'passed',
    lost: 'failed',
    'nothing-changed': 'skipped',
    inconclusive: 'skipped',
  } as const;
  return experiments.flatMap(({ episode }) =>
    episode
      ? [
          {
            name: `change ${episode.number}: ${episode.changes[0] ?? episode.trigger}`,
            kind: kinds[episode.verdict],
            message: `${episode.verdict}: ${episode.reason}`,
            detail: episode.reason,
          },
        ]
      : [],
  );
}

function claimCase(claim: ClaimResult, scenario: ScenarioResult): Case {
  const applies = [claim.appliesTo.variant, claim.appliesTo.lane].filter(Boolean).join(', ');
  const name = `${claim.id}: ${claim.text}${applies ? ` (${applies})` : ''}`;
  const figures = `expected ${claim.expect}; measured ${claim.measured}`;
  const detail = [
    figures,
    `source: ${claim.source}`,
    ...(claim.because ? [`expected to fail, because ${claim.because}`] : []),
    ...claim.facts.map(
      (fact) => `${fact.text}${fact.line === undefined ? '' : ` (journal line ${fact.line})`}`,
    ),
  ].join('\n');
  // `unneeded`: that a baseline lost nothing fails the claim that it does, and refutes nothing.
  const unneeded = ['unneeded', 'safe'].includes(scenario.verdict) && claim.result !== claim.expected;
  if (claim.result === 'not-run')
    return { name, kind: 'skipped', message: `not-run: ${claim.measured}`, detail };
  const undecided =
    claim.result === 'undecided' || scenario.verdict === 'not-run' || scenario.verdict === 'inconclusive';
  if (undecided || unneeded) {
    return { name, kind: 'skipped', message: `${scenario.verdict}: ${scenario.reason}`, detail };
  }
  if (claim.result === 'fails' && claim.expected === 'holds') {
    return { name, kind: 'failed', message: figures, detail };
  }
  const surprise = claim.result === claim.expected ? '' : 'it was expected to fail, and holds\n';
  return { name, kind: 'passed', message: '', detail: surprise + detail };
}

function totals(cases: readonly Case[]): string {
  const of = (kind: Case['kind']) => cases.filter((one) => one.kind === kind).length;
  return `tests="${cases.length}" failures="${of('failed')}" errors="${of('error')}" skipped="${of('skipped')}"`;
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3);

/** Escapes text and attributes, and leaves out characters that XML 1.0 forbids (such as those of coloured logs). */
function xml(value: string): string {
  return value
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
}
