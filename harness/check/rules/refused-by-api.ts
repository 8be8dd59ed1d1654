// What the API server refuses, though it is good YAML with known fields.

import { scaled } from '../../model/rolling-update.ts';
import type { FieldPath } from '../../model/yaml-path.ts';
import { containerName } from '../container.ts';
import type { Change } from '../edit.ts';
import { wrongTypes } from '../field-types.ts';
import { fields, has, integer, list, matchesSelector, text } from '../fields.ts';
import { refusedWith } from '../measured.ts';
import { groupOf, nameOf, type SourceObject } from '../objects.ts';
import { probeKinds } from '../probe.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import { isPartial, type Workload } from '../workload.ts';

export const refusedByApi: Rule = {
  id: 'refused-by-api',
  severity: 'error',
  title: 'what the API server refuses',
  why: 'The API server refuses the object (400 or 422): nothing of it is applied.',
  scenario: 'nginx-published',
  find: ({ objects, workloads, related }: CheckInput) => [
    ...objects.filter((object) => !isPartial(object)).flatMap(inTypes),
    ...workloads.flatMap(inWorkload),
    ...related.kind('PodDisruptionBudget').flatMap(inBudget),
  ],
  measured: refusedWith(422),
};

const inTypes = (object: SourceObject): readonly Draft[] =>
  wrongTypes(object).map(({ path, says, value }) => ({
    object,
    path,
    message: `${nameOf(object)}: ${says}.`,
    changes: value === undefined ? [] : [{ set: path, value }],
    advice: '# change it as the message says',
  }));

function inWorkload(workload: Workload): readonly Draft[] {
  const { object, spec, specPath, pod, podPath, labels, kind } = workload;
  const found: Draft[] = [];
  const say = (path: FieldPath, message: string, changes: readonly Change[] = [], advice = '') =>
    found.push({
      object,
      path,
      message: `${nameOf(object)}: ${message}.`,
      changes,
      advice: advice || '# change it as the message says',
    });
  const apps = groupOf(object) === 'apps';
  if (apps && has(spec.selector) && !matchesSelector(spec.selector, labels))
    say(
      [...specPath, 'selector'],
      'its selector does not match the labels of its own pods',
      [],
      '# make selector and template.metadata.labels the same',
    );
  const strategy = fields(spec.strategy);
  if (kind === 'Deployment' && strategy.type === 'Recreate' && has(strategy.rollingUpdate)) {
    const path = [...specPath, 'strategy', 'rollingUpdate'];
    say(path, 'rollingUpdate may not stand beside strategy Recreate', [{ remove: path }]);
  }
  if (kind === 'DaemonSet') {
    const { maxSurge, maxUnavailable } = fields(fields(spec.updateStrategy).rollingUpdate);
    const both =
      (scaled(maxSurge ?? 0, 100, 'up') ?? 0) > 0 && (scaled(maxUnavailable ?? 1, 100, 'up') ?? 0) > 0;
    const path = [...specPath, 'updateStrategy', 'rollingUpdate', 'maxUnavailable'];
    if (both) say(path, 'maxUnavailable must be 0 when maxSurge is above 0', [{ set: path, value: 0 }]);
  }
  if ((integer(spec.replicas) ?? 0) < 0)
    say([...specPath, 'replicas'], 'replicas is negative', [{ set: [...specPath, 'replicas'], value: 2 }]);
  for (const field of ['maxSurge', 'maxUnavailable']) {
    const value = fields(strategy.rollingUpdate)[field];
    const path = [...specPath, 'strategy', 'rollingUpdate', field];
    if (typeof value === 'string' && !/^\d+%$/.test(value) && !/[{}$]/.test(value))
      say(
        path,
        `${field} "${value}" is neither a number nor a percentage`,
        /^\d+$/.test(value) ? [{ set: path, value: Number(value) }] : [],
      );
  }
  const names = new Set<string>();
  for (const container of [...workload.containers, ...workload.initContainers]) {
    if (names.has(container.name))
      say([...container.path, 'name'], `two containers are called "${container.name}"`);
    names.add(container.name);
    for (const probe of probeKinds) {
      const value = fields(container.value[probe]);
      const path = [...container.path, probe];
      // Of another type than fields: told by its type.
      if (value !== container.value[probe]) continue;
      const handlers = ['httpGet', 'tcpSocket', 'grpc', 'exec'].filter((handler) => has(value[handler]));
      if (handlers.length !== 1)
        say(
          path,
          `the ${probe} of ${containerName(container)} has ${handlers.length === 0 ? 'nothing to ask' : handlers.join(' and ')}; it must have exactly one of httpGet, tcpSocket, grpc and exec`,
        );
      if (probe !== 'readinessProbe' && has(value.successThreshold) && value.successThreshold !== 1)
        say(
          [...path, 'successThreshold'],
          `the ${probe} of ${containerName(container)} must have successThreshold 1`,
          [{ remove: [...path, 'successThreshold'] }],
        );
    }
    const hook = fields(fields(container.value.lifecycle).preStop);
    const actions = ['exec', 'httpGet', 'sleep', 'tcpSocket'].filter((action) => has(hook[action]));
    if (actions.length > 1)
      say(
        [...container.path, 'lifecycle', 'preStop'],
        `the preStop hook of ${containerName(container)} has ${actions.join(' and ')}; it must have one`,
      );
  }
  const volumes = new Set(list(pod.volumes).map((volume) => text(fields(volume).name)));
  const templates = list(spec.volumeClaimTemplates).map((claim) => text(fields(fields(claim).metadata).name));
  for (const container of workload.containers)
    for (const [index, mount] of list(container.value.volumeMounts).entries()) {
      const name = text(fields(mount).name);
      if (name !== undefined && !volumes.has(name) && !templates.includes(name))
        say(
          [...container.path, 'volumeMounts', index, 'name'],
          `${containerName(container)} mounts volume "${name}", which the pod does not have`,
        );
    }
  if (text(pod.restartPolicy) && pod.restartPolicy !== 'Always' && (apps || kind === 'Rollout'))
    say([...podPath, 'restartPolicy'], `restartPolicy must be Always, not ${String(pod.restartPolicy)}`, [
      { remove: [...podPath, 'restartPolicy'] },
    ]);
  return found;
}

function inBudget(budget: SourceObject): readonly Draft[] {
  const spec = fields(budget.value.spec);
  if (groupOf(budget) !== 'policy' || !has(spec.minAvailable) || !has(spec.maxUnavailable)) return [];
  const path = [...budget.base, 'spec', 'minAvailable'];
  return [
    {
      object: budget,
      path,
      message: `${nameOf(budget)}: minAvailable and maxUnavailable may not stand together.`,
      changes: [{ remove: path }],
    },
  ];
}
