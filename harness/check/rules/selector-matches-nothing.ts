// A Service, budget or autoscaler that was meant for a workload beside it and does not find it.
import { fields, has, text } from '../fields.ts';
import { notMeasurable } from '../measured.ts';
import { groupOf, nameOf, partnerName, type SourceObject } from '../objects.ts';
import { podTemplateOf } from '../pod-template.ts';
import { type Related, scaleTarget } from '../related.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';

export const selectorMatchesNothing: Rule = {
  id: 'selector-matches-nothing',
  severity: 'error',
  title: 'selector or target that matches nothing',
  why: 'A Service without a matching pod has no endpoint: every connection is refused, and nothing says why. A budget over no pod protects none, an autoscaler without its target never scales. All three are accepted without a word.',
  scenario: 'image-change',
  find: ({ related }: CheckInput) => [
    ...related.kind('Service').flatMap((service) => serviceDraft(service, related)),
    ...related.kind('PodDisruptionBudget').flatMap((budget) => budgetDraft(budget, related)),
    ...related.kind('HorizontalPodAutoscaler').flatMap((autoscaler) => targetDraft(autoscaler, related)),
  ],
  measured: notMeasurable,
};

function serviceDraft(service: SourceObject, related: Related): readonly Draft[] {
  const spec = fields(service.value.spec);
  const selector = fields(spec.selector);
  if (groupOf(service) !== '' || spec.type === 'ExternalName' || Object.keys(selector).length === 0)
    return [];
  if (related.selectedBy(service).length > 0) return [];
  const meant = meantBy(service, selector, related, (object) => related.services(object).length > 0);
  if (!meant) return [];
  return [
    {
      object: service,
      other: meant,
      path: [...service.base, 'spec', 'selector'],
      message: `${nameOf(service)} selects ${shown(selector)}, which no pod here has; ${partnerName(meant, service)} has ${shown(podTemplateOf(meant)!.labels)}: the Service has no endpoint.`,
      changes: [{ set: [...service.base, 'spec', 'selector'], value: ownLabels(meant) }],
    },
  ];
}

function budgetDraft(budget: SourceObject, related: Related): readonly Draft[] {
  const selector = fields(fields(fields(budget.value.spec).selector).matchLabels);
  if (groupOf(budget) !== 'policy' || Object.keys(selector).length === 0) return [];
  if (related.selectedBy(budget).length > 0) return [];
  const meant = meantBy(budget, selector, related, (object) => related.budgets(object).length > 0);
  if (!meant) return [];
  const path = [...budget.base, 'spec', 'selector'];
  return [
    {
      object: budget,
      other: meant,
      path,
      severity: 'warning',
      message: `${nameOf(budget)} selects ${shown(selector)}, which no pod here has; ${partnerName(meant, budget)} has ${shown(podTemplateOf(meant)!.labels)}: it protects none.`,
      changes: [{ set: path, value: { matchLabels: ownLabels(meant) } }],
    },
  ];
}

function targetDraft(autoscaler: SourceObject, related: Related): readonly Draft[] {
  const target = scaleTarget(autoscaler);
  if (!target || related.selectedBy(autoscaler).length > 0) return [];
  const [kind, name] = target.split(' ') as [string, string];
  const around = related
    .podsAround(autoscaler)
    .filter((object) => object.kind === kind || object.name === name)
    .filter((object) => related.autoscalers(object).length === 0);
  const meant =
    around.find((object) => object.name === name) ??
    around.find((object) => alike(object.name, name, autoscaler.name));
  if (!meant) return [];
  const path = [...autoscaler.base, 'spec', 'scaleTargetRef'];
  return [
    {
      object: autoscaler,
      other: meant,
      path,
      severity: 'warning',
      message: `${nameOf(autoscaler)} scales ${target}, which is not here; there is ${partnerName(meant, autoscaler)}: nothing is scaled.`,
      changes: [{ set: path, value: { apiVersion: meant.apiVersion, kind: meant.kind, name: meant.name } }],
    },
  ];
}

/**
 * The workload beside it that nothing else takes in, and that has its name or one of its labels' values. Without one the
 * pods are most likely made by somebody else (an operator, another chart).
 */
function meantBy(
  object: SourceObject,
  selector: Readonly<Record<string, unknown>>,
  related: Related,
  taken: (workload: SourceObject) => boolean,
): SourceObject | undefined {
  const values = new Set(Object.values(selector));
  const found = related
    .podsAround(object)
    .filter(
      ({ kind }) =>
        kind === 'Deployment' || kind === 'StatefulSet' || kind === 'DaemonSet' || kind === 'Rollout',
    )
    .filter((workload) => !taken(workload))
    .filter(
      (workload) =>
        workload.name === object.name ||
        Object.values(podTemplateOf(workload)?.labels ?? {}).some((value) => values.has(value)),
    );
  return found.length === 1 ? found[0] : undefined;
}

function alike(name: string, wanted: string, own: string): boolean {
  return name === own || name.startsWith(`${wanted}-`) || wanted.startsWith(`${name}-`);
}

/** What a Service should select by: the workload's own selector. */
function ownLabels(object: SourceObject): unknown {
  const { selector } = fields(object.value.spec);
  const own = fields(selector).matchLabels ?? (has(fields(selector).matchExpressions) ? undefined : selector);
  return own ?? podTemplateOf(object)!.labels;
}

function shown(labels: Readonly<Record<string, unknown>>): string {
  return Object.entries(labels)
    .slice(0, 4)
    .map(([key, value]) => `${key}: ${text(value) ?? String(value)}`)
    .join(', ');
}
