// A condition that somebody else must set before a pod counts as ready.
import { fields, list, text } from '../fields.ts';
import { notMeasurable } from '../measured.ts';
import { nameOf } from '../objects.ts';
import type { CheckInput, Rule } from '../rule.ts';

export const readinessGate: Rule = {
  id: 'readiness-gate',
  severity: 'note',
  title: 'readiness gate that nothing here sets',
  why: 'A pod with a readiness gate is ready only when somebody (a load balancer’s controller) has set that condition on it. Where nobody does, no pod ever gets ready and a rollout never ends; where the controller is slow, every pod waits for it.',
  scenario: 'image-change',
  find: ({ workloads }: CheckInput) =>
    workloads.flatMap(({ object, pod, podPath }) =>
      list(pod.readinessGates).map((gate, index) => ({
        object,
        path: [...podPath, 'readinessGates', index],
        message: `${nameOf(object)}: its pods get ready only when somebody sets condition ${text(fields(gate).conditionType) ?? '(no name)'}; nothing in these manifests does.`,
        changes: [],
        advice: '# see that its controller runs in the cluster, or take the gate away',
      })),
    ),
  measured: notMeasurable,
};
