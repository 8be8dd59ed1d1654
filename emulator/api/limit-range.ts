// LimitRange: limits and requests that a pod leaves out, and refusing what is out of range.
// Source: plugin/pkg/admission/limitranger/admission.go.
import { amountOf } from '../controllers/scheduler/resources.ts';
import { forbidden } from './errors.ts';
import { definitionOf } from './resources.ts';
import type { Storage } from './storage.ts';
import type { Kinds, Pod } from './types.ts';

type Item = NonNullable<Kinds['limitranges']['spec']>['limits'][number];
type Container = NonNullable<Pod['spec']>['containers'][number];
type Amounts = Record<string, string>;

/** Changes a new pod; throws 403 with every bound that it breaks. */
export function applyLimitRanges(storage: Storage, pod: Pod): void {
  const ranges = storage.list(definitionOf('limitranges'), pod.metadata.namespace);
  const problems: string[] = [];
  for (const range of ranges as unknown as Kinds['limitranges'][]) {
    for (const item of range.spec?.limits ?? []) {
      if (item.type !== 'Container') continue;
      for (const container of [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]) {
        fillIn(container, item);
        problems.push(...boundsBroken(container, item));
      }
    }
  }
  if (problems.length === 0) return;
  const why = problems.length === 1 ? problems[0]! : `[${problems.join(', ')}]`;
  throw forbidden(definitionOf('pods'), pod.metadata.name ?? '', why);
}

function fillIn(container: Container, item: Item): void {
  const limits = { ...(defaultOf(item) ?? {}), ...container.resources?.limits };
  // A limit that the container names itself is its request, too, before the range's default is.
  const requests = {
    ...item.defaultRequest,
    ...container.resources?.limits,
    ...container.resources?.requests,
  };
  container.resources = {
    ...container.resources,
    ...(Object.keys(limits).length > 0 ? { limits } : {}),
    ...(Object.keys(requests).length > 0 ? { requests } : {}),
  };
}

/** client-node calls the field by another name, since it is a word of the language. */
const defaultOf = (item: Item): Amounts | undefined => (item as Item & { default?: Amounts }).default;

function boundsBroken({ resources }: Container, { min = {}, max = {} }: Item): string[] {
  const problems: string[] = [];
  const requests: Amounts = resources?.requests ?? {};
  const limits: Amounts = resources?.limits ?? {};
  for (const [name, bound] of Object.entries(min)) {
    const asked = requests[name];
    const word = `minimum ${name} usage per Container is ${bound}`;
    if (asked === undefined) problems.push(`${word}.  No request is specified`);
    else if (amountOf(name, asked) < amountOf(name, bound)) problems.push(`${word}, but request is ${asked}`);
  }
  for (const [name, bound] of Object.entries(max)) {
    const limit = limits[name];
    const word = `maximum ${name} usage per Container is ${bound}`;
    if (limit === undefined) problems.push(`${word}.  No limit is specified`);
    else if (amountOf(name, limit) > amountOf(name, bound)) problems.push(`${word}, but limit is ${limit}`);
  }
  return problems;
}
