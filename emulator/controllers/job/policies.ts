// podFailurePolicy, successPolicy and the failure count of an index.
// Source: pkg/controller/job/{pod_failure_policy,success_policy,backoff_utils}.go.
import type { Job, Pod } from '../../api/types.ts';
import { isIndexed, parseIndexes } from './indexes.ts';

type Rule = NonNullable<NonNullable<Job['spec']>['podFailurePolicy']>['rules'][number];

/** On pods of a Job with backoffLimitPerIndex: how often their index has failed before. */
export const failureCountKey = 'batch.kubernetes.io/job-index-failure-count';
export const ignoredCountKey = 'batch.kubernetes.io/job-index-ignored-failure-count';

export function failureCountOf({ metadata }: Pod): number {
  return Number(metadata.annotations?.[failureCountKey] ?? 0);
}

interface Verdict {
  readonly action: string;
  /** Why the Job fails, for FailJob. */
  readonly message: string;
}

/** The first rule that matches a failed pod. */
export function verdictOf(job: Job, pod: Pod): Verdict | undefined {
  for (const [index, rule] of (job.spec?.podFailurePolicy?.rules ?? []).entries()) {
    const why = exitCodeMatch(rule, pod) ?? conditionMatch(rule, pod);
    if (why === undefined) continue;
    return { action: rule.action, message: `${why} matching ${rule.action} rule at index ${index}` };
  }
  return undefined;
}

function exitCodeMatch({ onExitCodes }: Rule, pod: Pod): string | undefined {
  if (!onExitCodes) return undefined;
  const { namespace, name: podName } = pod.metadata;
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  for (const { name, state } of statuses) {
    const exitCode = state?.terminated?.exitCode;
    if (exitCode === undefined || exitCode === 0) continue;
    if (onExitCodes.containerName !== undefined && onExitCodes.containerName !== name) continue;
    const listed = onExitCodes.values.includes(exitCode);
    if (listed === (onExitCodes.operator === 'In')) {
      return `Container ${name} for pod ${namespace}/${podName} failed with exit code ${exitCode}`;
    }
  }
  return undefined;
}

function conditionMatch({ onPodConditions }: Rule, pod: Pod): string | undefined {
  const found = pod.status?.conditions?.find(({ type, status }) =>
    onPodConditions?.some((pattern) => pattern.type === type && (pattern.status ?? 'True') === status),
  );
  return found && `Pod ${pod.metadata.namespace}/${pod.metadata.name} has condition ${found.type}`;
}

/** The first rule of the successPolicy that the completed indexes fulfil. */
export function successRule(job: Job, completed: ReadonlySet<number>): number | undefined {
  if (!isIndexed(job)) return undefined;
  for (const [index, rule] of (job.spec?.successPolicy?.rules ?? []).entries()) {
    const wanted = rule.succeededIndexes === undefined ? undefined : parseIndexes(rule.succeededIndexes);
    const reached = wanted ? [...wanted].filter((each) => completed.has(each)).length : completed.size;
    if (reached >= (rule.succeededCount ?? wanted?.size ?? Number.POSITIVE_INFINITY)) return index;
  }
  return undefined;
}
