// Sets findings beside what was measured: confirmed, not confirmed, not measured.
import type { Finding, JoinedFinding } from '../model/finding.ts';
import type { ExperimentResult, Results } from '../model/results.ts';
import { rules } from './rules/index.ts';

/**
 * Each finding against the experiments of its scenario that ran on the same workload. An experiment counts when it is
 * complete and valid, and when its variant leaves the risk in place. One that shows it confirms the finding.
 */
export function joinFindings(findings: readonly Finding[], results: Results): readonly JoinedFinding[] {
  return findings.map((finding) => joined(finding, results));
}

function joined(finding: Finding, results: Results): JoinedFinding {
  const rule = rules.find((own) => own.id === finding.rule);
  const scenario = results.scenarios.find((own) => own.name === finding.scenario);
  const none = (text: string): JoinedFinding => ({ finding, evidence: 'not-measured', text, journals: [] });
  if (!rule) return none(`Rule ${finding.rule} is not known to this version.`);
  if (!scenario)
    return none(`Scenario ${finding.scenario} was not run: rollproof verify --scenario ${finding.scenario}`);
  const usable = scenario.experiments.filter(
    (experiment) => experiment.valid && experiment.status === 'complete',
  );
  if (usable.length === 0)
    return none(`Scenario ${scenario.name} gave no valid measurement: ${scenario.reason}`);
  const measured = usable.flatMap((experiment) => {
    const result = rule.measured(experiment);
    return result ? [{ experiment, ...result }] : [];
  });
  if (measured.length === 0)
    return none(`Scenario ${scenario.name} ran, and none of its experiments can show this risk.`);
  const showing = measured.filter((own) => own.confirmed);
  const telling = showing.length > 0 ? showing : measured;
  const of = `${showing.length} of ${measured.length} experiment${measured.length === 1 ? '' : 's'}`;
  return {
    finding,
    evidence: showing.length > 0 ? 'confirmed' : 'not-confirmed',
    text: `${sentence(telling[0]!.text)} Scenario ${scenario.name}, shown by ${of}.`,
    journals: telling.map(({ experiment }: { experiment: ExperimentResult }) => experiment.journal),
  };
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
