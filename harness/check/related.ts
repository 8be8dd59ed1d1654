// Which objects of a check mean each other: found by names and labels, so that no step looks at every pair.
import { fields, list, matchesLabels, matchesSelector, text } from './fields.ts';
import { belongTogether, groupOf, isAbove, type SourceObject, sameNamespace } from './objects.ts';
import { podTemplateOf } from './pod-template.ts';

/** Services of one workload: more of them say nothing that these do not, and all pairs would take too long. */
const SERVICES_MOST = 100;

export class Related {
  private readonly kinds = new Map<string, SourceObject[]>();
  /** By "Kind name". */
  private readonly named = new Map<string, SourceObject[]>();
  /** Objects with pods (workloads, Jobs, bare Pods) by each `key=value` of the pods' labels. */
  private readonly byLabel = new Map<string, SourceObject[]>();
  private readonly withPods: SourceObject[] = [];
  private readonly selecting = new Map<SourceObject, SourceObject[]>();
  private readonly scaling = new Map<SourceObject, SourceObject[]>();
  private readonly budgeted = new Map<SourceObject, SourceObject[]>();
  private readonly selected = new Map<SourceObject, readonly SourceObject[]>();
  /** Whether Services are given there, by folder and namespace: the same for all objects of one place. */
  private readonly given = new Map<string, boolean>();

  constructor(objects: readonly SourceObject[]) {
    for (const object of objects) {
      push(this.kinds, object.kind, object);
      push(this.named, `${object.kind} ${object.name}`, object);
      const labels = podTemplateOf(object)?.labels;
      if (!labels) continue;
      this.withPods.push(object);
      for (const [key, value] of Object.entries(labels))
        push(this.byLabel, `${key}=${String(value)}`, object);
    }
    const alike = new Map<string, readonly SourceObject[]>();
    for (const service of this.kind('Service')) {
      if (groupOf(service) !== '') continue;
      // Services of one place with one selector select the same pods: looked for once.
      const { type, selector } = fields(service.value.spec);
      const key = JSON.stringify([service.source.scope, service.namespace, type, selector]);
      const pods = alike.get(key) ?? this.podsOfService(service);
      alike.set(key, pods);
      this.selected.set(service, pods);
      for (const object of pods) {
        const known = this.selecting.get(object);
        if (known === undefined || known.length < SERVICES_MOST) push(this.selecting, object, service);
      }
    }
    for (const budget of this.kind('PodDisruptionBudget')) {
      if (groupOf(budget) !== 'policy') continue;
      const pods = this.podsOfBudget(budget);
      this.selected.set(budget, pods);
      for (const object of pods) push(this.budgeted, object, budget);
    }
    for (const autoscaler of [...this.kind('HorizontalPodAutoscaler'), ...this.kind('ScaledObject')]) {
      const target = scaleTarget(autoscaler);
      const scaled = (this.named.get(target ?? '') ?? []).filter((object) =>
        belongTogether(autoscaler, object),
      );
      this.selected.set(autoscaler, scaled);
      for (const object of scaled) push(this.scaling, object, autoscaler);
    }
  }

  kind(kind: string): readonly SourceObject[] {
    return this.kinds.get(kind) ?? [];
  }

  /** Services whose selector takes in the object's pods; those of its own file first: variants lie side by side. */
  services(object: SourceObject): readonly SourceObject[] {
    const own = (service: SourceObject) => (service.source.file === object.source.file ? 0 : 1);
    return (this.selecting.get(object) ?? []).toSorted((a, b) => own(a) - own(b));
  }

  autoscalers(object: SourceObject): readonly SourceObject[] {
    return this.scaling.get(object) ?? [];
  }

  budgets(object: SourceObject): readonly SourceObject[] {
    return this.budgeted.get(object) ?? [];
  }

  /** Objects whose pods a Service or budget selects, or that an autoscaler scales. */
  selectedBy(object: SourceObject): readonly SourceObject[] {
    return this.selected.get(object) ?? [];
  }

  /** Services in the object's folder or above that have pods among the files: they show that Services are given there. */
  servicesGiven(object: SourceObject): boolean {
    const place = JSON.stringify([object.source.scope, object.namespace]);
    const known = this.given.get(place);
    if (known !== undefined) return known;
    const given = this.kind('Service').some(
      (service) =>
        isAbove(service.source.scope, object.source.scope) &&
        sameNamespace(service, object) &&
        this.selectedBy(service).length > 0,
    );
    this.given.set(place, given);
    return given;
  }

  /** Everything with pods that may belong to the object. */
  podsAround(object: SourceObject): readonly SourceObject[] {
    return this.withPods.filter((own) => belongTogether(own, object));
  }

  claim(name: unknown, of: SourceObject): SourceObject | undefined {
    const claims = this.named.get(`PersistentVolumeClaim ${text(name) ?? ''}`) ?? [];
    return claims.find((candidate) => belongTogether(candidate, of));
  }

  private podsOfService(service: SourceObject): readonly SourceObject[] {
    const spec = fields(service.value.spec);
    const selector = fields(spec.selector);
    const [first] = Object.entries(selector);
    if (spec.type === 'ExternalName' || !first) return [];
    return this.labelled(first).filter(
      (object) =>
        belongTogether(service, object) && matchesLabels(selector, podTemplateOf(object)?.labels ?? {}),
    );
  }

  /** policy/v1: an empty selector matches every pod of the namespace; policy/v1beta1: none. */
  private podsOfBudget(budget: SourceObject): readonly SourceObject[] {
    const { selector } = fields(budget.value.spec);
    const { matchLabels, matchExpressions } = fields(selector);
    const [first] = Object.entries(fields(matchLabels));
    const empty = !first && list(matchExpressions).length === 0;
    if (budget.apiVersion === 'policy/v1beta1' && empty) return [];
    return (first ? this.labelled(first) : this.withPods).filter(
      (object) =>
        belongTogether(budget, object) && matchesSelector(selector, podTemplateOf(object)?.labels ?? {}),
    );
  }

  private labelled([key, value]: readonly [string, unknown]): readonly SourceObject[] {
    return this.byLabel.get(`${key}=${String(value)}`) ?? [];
  }
}

/** `Deployment web` that a HorizontalPodAutoscaler or KEDA's ScaledObject names. */
export function scaleTarget(autoscaler: SourceObject): string | undefined {
  const own = autoscaler.kind === 'HorizontalPodAutoscaler' && groupOf(autoscaler) === 'autoscaling';
  const keda = autoscaler.kind === 'ScaledObject' && groupOf(autoscaler) === 'keda.sh';
  const { kind, name } = fields(fields(autoscaler.value.spec).scaleTargetRef);
  if ((!own && !keda) || typeof name !== 'string') return undefined;
  return `${text(kind) ?? 'Deployment'} ${name}`;
}

function push<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const known = map.get(key);
  if (known) known.push(value);
  else map.set(key, [value]);
}
