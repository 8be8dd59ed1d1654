// Values whose type the API does not take: a number or a boolean where it wants text (annotations, variables), quotes
// around a number. Good YAML, and the whole object is refused.
import { isScalar } from 'yaml';
import { type FieldPath, fieldName, followPath } from '../model/yaml-path.ts';
import { type Fields, has } from './fields.ts';
import type { SourceObject } from './objects.ts';
import { podPathOf } from './pod-template.ts';

type Shape =
  | 'text'
  | 'integer'
  /** Any names, each with a text. */
  | 'texts'
  | { readonly each: Shape }
  | { readonly [field: string]: Shape };

interface WrongType {
  /** Absolute in the document. */
  readonly path: FieldPath;
  readonly says: string;
  /** What stands there, as the API takes it; undefined: nobody can know. */
  readonly value?: string | number;
}

const probe: Shape = {
  initialDelaySeconds: 'integer',
  periodSeconds: 'integer',
  timeoutSeconds: 'integer',
  failureThreshold: 'integer',
  successThreshold: 'integer',
  httpGet: { path: 'text', scheme: 'text' },
  exec: { command: { each: 'text' } },
};
const container: Shape = {
  name: 'text',
  image: 'text',
  command: { each: 'text' },
  args: { each: 'text' },
  env: { each: { name: 'text', value: 'text' } },
  ports: { each: { name: 'text', containerPort: 'integer', hostPort: 'integer' } },
  readinessProbe: probe,
  livenessProbe: probe,
  startupProbe: probe,
  lifecycle: { preStop: { exec: { command: { each: 'text' } }, sleep: { seconds: 'integer' } } },
};
const metadata: Shape = { labels: 'texts', annotations: 'texts' };
const pod: Shape = {
  terminationGracePeriodSeconds: 'integer',
  nodeSelector: 'texts',
  containers: { each: container },
  initContainers: { each: container },
};
const named: Shape = { name: 'text', namespace: 'text', ...metadata };
const selector: Shape = { matchLabels: 'texts' };
const strategy: Shape = { type: 'text' };
const workload: Shape = {
  replicas: 'integer',
  strategy,
  updateStrategy: strategy,
  minReadySeconds: 'integer',
  progressDeadlineSeconds: 'integer',
  revisionHistoryLimit: 'integer',
  selector,
  template: { metadata, spec: pod },
};
const kinds: Readonly<Record<string, Shape>> = {
  Deployment: { spec: workload },
  StatefulSet: { spec: workload },
  DaemonSet: { spec: workload },
  ReplicaSet: { spec: workload },
  Pod: { spec: pod },
  Service: { spec: { selector: 'texts', ports: { each: { name: 'text', port: 'integer' } } } },
  ConfigMap: { data: 'texts' },
  HorizontalPodAutoscaler: { spec: { minReplicas: 'integer', maxReplicas: 'integer' } },
  PodDisruptionBudget: { spec: { selector } },
};

/** Of kinds that Kubernetes itself has; `undefined` fields of a kind are not looked at. */
export function wrongTypes(object: SourceObject): readonly WrongType[] {
  const shape = isOurs(object) ? kinds[object.kind] : undefined;
  if (!shape) return [];
  return [
    ...wrongIn(object, object.value.metadata, named, ['metadata']),
    ...wrongIn(object, object.value, shape, []),
  ];
}

/** Another group may have a Service of its own (Knative's). */
const isOurs = ({ apiVersion }: SourceObject): boolean =>
  /^(v1|(apps|autoscaling|policy|extensions)\/\w+)$/.test(apiVersion);

function wrongIn(object: SourceObject, value: unknown, shape: Shape, path: FieldPath): readonly WrongType[] {
  if (!has(value)) return [];
  if (shape === 'text') return wrongText(object, value, path);
  if (shape === 'integer') return wrongInteger(object, value, path);
  const isList = typeof shape === 'object' && 'each' in shape;
  if (typeof value !== 'object' || Array.isArray(value) !== isList) {
    // A variable that is filled in later, or a part of the pod that is told apart (misshapen.ts).
    if (isPlaceholder(value) || isTold(object, path)) return [];
    const wanted = isList ? 'a list' : 'an object with fields';
    return [
      { path: [...object.base, ...path], says: `${fieldName(path)} must be ${wanted}, not ${shown(value)}` },
    ];
  }
  if (isList)
    return (value as readonly unknown[]).flatMap((item, index) =>
      wrongIn(object, item, shape.each as Shape, [...path, index]),
    );
  const of = value as Fields;
  const names = shape === 'texts' ? Object.keys(of) : Object.keys(shape);
  return names.flatMap((name) =>
    wrongIn(object, of[name], shape === 'texts' ? 'text' : shape[name]!, [...path, name]),
  );
}

function wrongText(object: SourceObject, value: unknown, path: FieldPath): readonly WrongType[] {
  const own = [...object.base, ...path];
  const node = followPath(object.source.document, own).at(-1)?.value;
  const written = isScalar(node) ? node.source : undefined;
  if (typeof value === 'string') {
    // YAML 1.1, which kubectl reads: these are booleans unless they are quoted.
    if (!isScalar(node) || node.type !== 'PLAIN' || !/^(y|yes|n|no|on|off)$/i.test(value)) return [];
    return [
      { path: own, says: `${fieldName(path)} is ${value} without quotes, which kubectl reads as a boolean` },
    ];
  }
  if (typeof value === 'object') {
    if (isTold(object, path)) return [];
    return [{ path: own, says: `${fieldName(path)} must be text, not ${shown(value)}` }];
  }
  return [
    {
      path: own,
      says: `${fieldName(path)} must be text, and ${written ?? String(value)} without quotes is a ${typeof value}`,
      value: written ?? String(value),
    },
  ];
}

function wrongInteger(object: SourceObject, value: unknown, path: FieldPath): readonly WrongType[] {
  if (typeof value === 'number' ? Number.isInteger(value) : isPlaceholder(value)) return [];
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : undefined;
  return [
    {
      path: [...object.base, ...path],
      says: `${fieldName(path)} must be a whole number, not ${shown(value)}`,
      ...(number !== undefined && { value: number }),
    },
  ];
}

/** `${REPLICAS}`, `<replicas>`: something fills it in before it is applied. */
const isPlaceholder = (value: unknown): boolean => typeof value === 'string' && /[{}$<>]/.test(value);

/** What no pod can be made of is a problem, not a finding (misshapen.ts). */
function isTold(object: SourceObject, path: FieldPath): boolean {
  const podPath = podPathOf(object);
  const [list, , field, ...more] = path.slice(podPath.length);
  const isPod = podPath.every((step, index) => path[index] === undefined || path[index] === step);
  if (!isPod) return false;
  if (list === undefined) return true;
  return (
    (list === 'containers' || list === 'initContainers') &&
    more.length === 0 &&
    (field === undefined || field === 'name' || field === 'image')
  );
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : JSON.stringify(value);
}
