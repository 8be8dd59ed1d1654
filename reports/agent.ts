// `rollproof report --for agent`: a run's facts and the commands to go on with, as Markdown that a code assistant can take in
// at once. Pure, from results alone.
import type { ExperimentResult, LossWindow, Results, ScenarioResult } from '../harness/model/results.ts';
import { count, counted, duration, lostOf, podSeconds } from '../harness/words/figures.ts';
import { helpAgainst } from '../harness/words/names.ts';
import { windowSentence } from '../harness/words/window.ts';
import { limitsOf } from './answer.ts';
import { byUrgency, unusual } from './standing.ts';

/** About 6,000 tokens: what went wrong comes first, and what does not fit is counted. */
const limitChars = 24_000;
const windowsShown = 5;
const factsShown = 6;

interface AgentInput {
  readonly results: Results;
  /** Folder of the run, as it is named in commands. */
  readonly folder: string;
}

export function renderForAgent({ results, folder }: AgentInput): string {
  const { cluster, tool } = results;
  const runs = results.history?.runs ?? 0;
  const unlike = runs > 0 ? unusual(results) : [];
  const head = [
    '# rollproof: what a change of a running workload loses',
    '',
    `- cluster: ${cluster.kind}, Kubernetes ${cluster.kubernetesVersion}${cluster.emulated ? ', EMULATED: not a real cluster' : ''}, kube-proxy ${cluster.proxyMode}`,
    `- run: ${results.runId}, ${results.startedAt}, ${tool.name} ${tool.version}, exit code ${results.exitCode} (0 as expected, 1 losses, 2 not measured well enough, 3 environment)`,
    '- lost: refused, reset, closed, timed out or a wrong status; lanes (kinds of clients) are never added up',
    `- again: \`${results.reproduce}\``,
    ...(unlike.length > 0
      ? [`- against the last ${counted(runs, 'run')}: ${unlike.slice(0, unusualShown).join('; ')}`]
      : []),
    '',
  ];
  const tail = [
    '## Commands to go on with',
    '',
    ...commands(results, folder),
    '',
    '## What this does not prove',
    '',
    ...limitsOf(results).map((limit) => `- ${limit}`),
    '',
  ];
  const parts = byUrgency(results).map((scenario) => scenarioText(scenario));
  const findings = (results.findings ?? []).map(
    ({ finding, evidence, text }) =>
      `- ${finding.severity} ${finding.rule}, ${finding.object}: ${finding.message} (${evidence}: ${text})`,
  );
  if (findings.length > 0) parts.push(['## Risks in the manifests', '', ...findings, ''].join('\n'));
  return fitted(head.join('\n'), parts, tail.join('\n'), folder);
}

const unusualShown = 8;

function scenarioText(scenario: ScenarioResult): string {
  const { name, title, question, verdict, reason, direct, advice } = scenario;
  return [
    `## ${name}: ${verdict}`,
    '',
    `${title}. ${question} ${reason}`.trim(),
    ...(direct ? [`As it is: ${direct.verdict}. ${direct.reason}`] : []),
    '',
    '| variant | settings | ' +
      ['lost, by lane', 'longest outage', 'rollout', 'extra pods', 'valid'].join(' | ') +
      ' |',
    '|---|---|---|---|---|---|---|',
    ...scenario.experiments.map(row),
    '',
    ...(advice.length > 0 ? ['What to do:', ...advice.map((line) => `- ${line}`), ''] : []),
    ...scenario.experiments.flatMap(lossesOf),
    ...scenario.claims
      .filter(({ result, expected }) => result !== expected)
      .map(
        ({ text, expect, measured, result }) =>
          `- claim ${result}: ${text} Expected ${expect}, measured ${measured}.`,
      ),
    '',
  ].join('\n');
}

function row(experiment: ExperimentResult): string {
  const lanes = Object.entries(experiment.lanes);
  const { completedMs, extraPodSeconds } = experiment.rollout;
  return `| ${[
    experiment.variant,
    experiment.settings.join(' + ') || 'none',
    lanes.map(([lane, result]) => `${lane} ${lostOf(result)}`).join(', ') || 'nothing measured',
    duration(Math.max(0, ...lanes.map(([, result]) => result.longestOutageMs))),
    completedMs === null ? 'not complete' : duration(completedMs),
    podSeconds(extraPodSeconds),
    experiment.valid ? 'yes' : `NO: ${experiment.invalid[0] ?? experiment.status}`,
  ]
    .map((cell) => cell.replaceAll('|', '\\|').replace(/\s+/g, ' '))
    .join(' | ')} |`;
}

function lossesOf(experiment: ExperimentResult): string[] {
  return Object.entries(experiment.lanes).flatMap(([lane, { windows, lost }]) => {
    if (windows.length === 0) return [];
    const shown = windows.toSorted((a, b) => b.lost - a.lost).slice(0, windowsShown);
    const rest = windows.length - shown.length;
    return [
      `### ${experiment.variant}, lane ${lane}: ${count(lost)} lost (${experiment.journal})`,
      '',
      ...shown.flatMap((window) => [`- ${windowSentence(window, lane)}`, ...factsOf(window, experiment)]),
      ...(rest > 0 ? [`- and ${rest} more windows, in results.json`] : []),
      '',
    ];
  });
}

function factsOf({ causes }: LossWindow, experiment: ExperimentResult): string[] {
  return causes.flatMap(({ cause, confidence, facts }) => [
    `  - ${cause} (confidence ${confidence}); what helps: ${helpAgainst(cause, [experiment])}`,
    ...facts
      .slice(0, factsShown)
      .map(({ text, line }) => `    - ${text}${line === undefined ? '' : ` [journal line ${line}]`}`),
  ]);
}

function commands(results: Results, folder: string): string[] {
  const lossy = results.scenarios.find(({ experiments }) =>
    experiments.some(({ lanes }) => Object.values(lanes).some(({ lost }) => lost > 0)),
  );
  const journal = lossy?.experiments.find(({ lanes }) =>
    Object.values(lanes).some(({ lost }) => lost > 0),
  )?.journal;
  const own = results.scenarios.some(({ direct }) => direct !== undefined);
  return [
    ...(journal === undefined ? [] : [`- one line of evidence: \`sed -n LINEp ${folder}/${journal}\``]),
    ...(lossy
      ? [`- which setting matters: \`rollproof verify --scenario ${lossy.name} --variants ablation\``]
      : []),
    ...(own
      ? [
          '- smallest settings, as a diff of your files: `rollproof harden` (`--write` writes them)',
          '- after a change, the direct answer: `rollproof verify --variants as-is`',
        ]
      : ['- with your own workload: `rollproof init k8s/`, then `rollproof verify`']),
    '- risks without a cluster: `rollproof check --json PATH` (`--fix` writes)',
    `- all figures: \`${folder}/results.json\`; is any of it changed: \`rollproof audit ${folder}\``,
  ];
}

function fitted(head: string, parts: readonly string[], tail: string, folder: string): string {
  const kept = [head];
  let used = head.length + tail.length;
  for (const [index, part] of parts.entries()) {
    if (used + part.length > limitChars && index > 0) {
      kept.push(
        `${parts.length - index} more parts are left out here; they are in ${folder}/results.json.\n`,
      );
      break;
    }
    kept.push(part.slice(0, Math.max(0, limitChars - used)));
    used += part.length;
  }
  return [...kept, tail].join('\n');
}
