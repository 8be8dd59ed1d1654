// The least rights that a run needs on a cluster of somebody's: one table, from which `rollproof rbac` prints RBAC objects,
// and which is asked of the API server before anything is created.

/** Verbs on resources of one API group. */
export interface Right {
  readonly group: string;
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  /** Of the cluster rather than of a namespace. */
  readonly cluster?: true;
  /** What for, as a comment. */
  readonly why: string;
  /** Left out: what cannot be done then. Without it the right is required. */
  readonly without?: string;
}

export interface RightsWanted {
  /** One namespace that exists; undefined: new ones are made. */
  readonly namespace?: string | undefined;
  /** What the target's manifests bring along. */
  readonly kinds?: readonly { readonly apiVersion: string; readonly kind: string }[] | undefined;
  /** A watch: of the namespace where its agents are, or of the one with the Services. */
  readonly watch?: 'agents' | 'services' | undefined;
  /** Where the Services of a watch are, when those of its agents are asked for: both are asked at once. */
  readonly servicesIn?: string | undefined;
  /** A watch: connection tracking is to be read, by a pod with an image that is named, or with kube-proxy's. */
  readonly witness?: 'named-image' | 'kube-proxy' | undefined;
  /** Nothing is to be created: nothing has to make room. */
  readonly dryRun?: boolean | undefined;
  /** A Secret for the agent's image has to be copied into the new namespaces. */
  readonly copiesSecret?: boolean | undefined;
}

const inNamespace: readonly Right[] = [
  {
    group: 'batch',
    resources: ['jobs'],
    verbs: ['create', 'get', 'list', 'delete'],
    why: 'The load agents are a Job, to which everything else belongs.',
  },
  {
    group: '',
    resources: ['configmaps', 'services'],
    verbs: ['create', 'get', 'list', 'patch', 'delete'],
    why: 'Our programs; addresses of agents, control target and target.',
  },
  {
    group: 'apps',
    resources: ['deployments', 'daemonsets'],
    verbs: ['create', 'get', 'list', 'watch', 'patch', 'delete'],
    why: 'The copy of the target that is changed, and the control target.',
  },
  {
    group: 'apps',
    resources: ['deployments/scale'],
    verbs: ['patch'],
    why: 'Scaling, as kubectl scale does it.',
  },
  {
    group: 'apps',
    resources: ['replicasets'],
    verbs: ['get', 'list', 'watch'],
    why: 'The rollout, as it is recorded.',
  },
  {
    group: '',
    resources: ['pods'],
    verbs: ['get', 'list', 'watch', 'delete'],
    why: 'Pods are recorded, and one or another is deleted.',
  },
  { group: '', resources: ['pods/proxy'], verbs: ['get', 'create'], why: 'The way to the load agents.' },
  { group: '', resources: ['pods/log'], verbs: ['get'], why: 'The last words of a pod that ended.' },
  { group: '', resources: ['events'], verbs: ['list', 'watch'], why: 'Recorded.' },
  { group: 'discovery.k8s.io', resources: ['endpointslices'], verbs: ['list', 'watch'], why: 'Recorded.' },
  {
    group: 'autoscaling',
    resources: ['horizontalpodautoscalers'],
    verbs: ['create', 'get', 'list', 'watch', 'patch', 'delete'],
    why: 'Scenarios that scale by load.',
  },
  {
    group: 'policy',
    resources: ['poddisruptionbudgets'],
    verbs: ['create', 'get', 'list', 'watch', 'patch', 'delete'],
    why: 'The setting podDisruptionBudget.',
  },
  {
    group: 'metrics.k8s.io',
    resources: ['pods'],
    verbs: ['list'],
    why: 'To see whether there are metrics to scale by.',
    without: 'scenarios that scale by load do not run',
  },
];

/** Where the agents of a watch are. */
const forAgents: readonly Right[] = [
  {
    group: 'batch',
    resources: ['jobs'],
    verbs: ['create', 'get', 'list', 'delete'],
    why: 'The load agent is a Job, to which everything else of ours belongs.',
  },
  {
    group: '',
    resources: ['configmaps', 'services'],
    verbs: ['create', 'get', 'list', 'delete'],
    why: 'Our programs, and the address of the control target.',
  },
  {
    group: 'apps',
    resources: ['deployments'],
    verbs: ['create', 'get', 'list', 'delete'],
    why: 'The control target.',
  },
  { group: '', resources: ['pods'], verbs: ['get', 'list'], why: 'Whether ours are ready, and gone again.' },
  { group: '', resources: ['pods/proxy'], verbs: ['get', 'create'], why: 'The way to the load agent.' },
  {
    group: '',
    resources: ['pods/log'],
    verbs: ['get'],
    why: 'The last words of a pod.',
    without: 'what a pod said last is not told',
  },
  {
    group: '',
    resources: ['events'],
    verbs: ['list'],
    why: 'Why a pod of ours is not created.',
    without: 'why a pod is not created is not told',
  },
];

/** Where the Services of a watch are: everything is read, nothing is changed. */
const forServices: readonly Right[] = [
  { group: '', resources: ['services'], verbs: ['get'], why: 'Where requests go.' },
  { group: '', resources: ['pods'], verbs: ['list', 'watch'], why: 'Recorded.' },
  { group: 'discovery.k8s.io', resources: ['endpointslices'], verbs: ['list', 'watch'], why: 'Recorded.' },
  {
    group: 'apps',
    resources: ['deployments', 'replicasets', 'statefulsets', 'daemonsets'],
    verbs: ['get', 'list', 'watch'],
    why: 'Who owns the pods, and whether a rollout is over.',
  },
  {
    group: '',
    resources: ['events'],
    verbs: ['list', 'watch'],
    why: 'Recorded.',
    without: 'events are not recorded, and causes have fewer facts',
  },
  {
    group: 'autoscaling',
    resources: ['horizontalpodautoscalers'],
    verbs: ['list', 'watch'],
    why: 'Whether an autoscaler made the change.',
    without: 'autoscalers are not recorded',
  },
  {
    group: 'policy',
    resources: ['poddisruptionbudgets'],
    verbs: ['list', 'watch'],
    why: 'Recorded.',
    without: 'disruption budgets are not recorded',
  },
  {
    group: '',
    resources: ['pods/log'],
    verbs: ['get'],
    why: 'The last words of a pod that does not become ready.',
    without: 'what a pod said last is not told',
  },
];

/** In place of the one with the same resources in `forAgents`. */
const forWitness: Right = {
  group: '',
  resources: ['pods/log'],
  verbs: ['get'],
  why: 'What the pod says that reads connection tracking (--witness); the last words of a pod.',
};

/** In kube-system. */
const forProxyImage: readonly Right[] = [
  {
    group: '',
    resources: ['pods'],
    verbs: ['list'],
    why: 'The image of kube-proxy, with which connection tracking is read; not needed with --witness-image.',
  },
];

/** Rights of a watch by the namespace in which they are needed, each namespace once. */
export function watchPlaces({
  namespace,
  agentNamespace,
  witness,
}: {
  readonly namespace: string;
  readonly agentNamespace: string;
  readonly witness?: RightsWanted['witness'];
}): readonly { readonly namespace: string; readonly rights: readonly Right[] }[] {
  const places = new Map<string, readonly Right[]>();
  const add = (where: string, rights: readonly Right[]) =>
    places.set(where, [...(places.get(where) ?? []), ...rights]);
  add(agentNamespace, rightsNeeded({ watch: 'agents', witness }));
  add(namespace, forServices);
  if (witness === 'kube-proxy') add('kube-system', forProxyImage);
  return [...places].map(([where, rights]) => ({ namespace: where, rights }));
}

const inNewNamespaces: readonly Right[] = [
  {
    group: '',
    resources: ['namespaces'],
    verbs: ['create', 'get', 'list', 'delete'],
    cluster: true,
    why: 'Each experiment has a namespace of its own.',
  },
  {
    group: '',
    resources: ['nodes'],
    verbs: ['get', 'list', 'watch'],
    cluster: true,
    why: 'Which nodes there are, and what becomes of them.',
    without: 'nodes are not known, and scenarios that need several do not run',
  },
  {
    group: '',
    resources: ['nodes'],
    verbs: ['patch'],
    cluster: true,
    why: 'Draining a node; leave it out, and nothing is drained.',
    without: 'no node is drained',
  },
  {
    group: '',
    resources: ['pods/eviction'],
    verbs: ['create'],
    why: 'Draining a node.',
    without: 'no node is drained',
  },
];

/** In the order in which they are printed. */
export function rightsNeeded(wanted: RightsWanted): readonly Right[] {
  const { namespace, kinds = [], copiesSecret, watch, witness } = wanted;
  if (watch === 'services') return forServices;
  if (watch === 'agents')
    return witness
      ? forAgents.map((right) => (right.resources.includes('pods/log') ? forWitness : right))
      : forAgents;
  const base = namespace === undefined ? [...inNewNamespaces, ...inNamespace] : inNamespace;
  const has = (group: string, resource: string, verb: string) =>
    base.some((one) => one.group === group && one.resources.includes(resource) && one.verbs.includes(verb));
  const brought = new Map<string, Right>();
  for (const { apiVersion, kind } of kinds) {
    const group = apiVersion.includes('/') ? (apiVersion.split('/', 1)[0] ?? '') : '';
    const resource = resourceOf(kind);
    // One may be the workload under test, which is changed and recorded.
    const changed = kind === 'StatefulSet' || kind === 'Rollout';
    const all = changed ? ['create', 'get', 'list', 'watch', 'patch', 'delete'] : ['create', 'get', 'delete'];
    const verbs = all.filter((verb) => !has(group, resource, verb));
    if (verbs.length === 0) continue;
    brought.set(`${group}/${resource}`, {
      group,
      resources: [resource, ...(changed ? [`${resource}/scale`] : [])],
      verbs,
      why: `The target's manifests have a ${kind}.`,
    });
  }
  const claims: Right = {
    group: '',
    resources: ['persistentvolumeclaims'],
    verbs: ['list', 'delete'],
    why: 'Claims that a StatefulSet makes for its pods.',
    without: 'claims of a StatefulSet go a little later, with the StatefulSet',
  };
  const secret: Right = {
    group: '',
    resources: ['secrets'],
    verbs: ['create', 'get', 'delete'],
    why: 'agent.pullSecret is copied to where the pods are.',
  };
  return [
    ...base,
    ...brought.values(),
    ...(kinds.some(({ kind }) => kind === 'StatefulSet') ? [claims] : []),
    ...(copiesSecret && namespace === undefined ? [secret] : []),
  ];
}

/** As API servers name the resources of a kind; English alone decides. */
export function resourceOf(kind: string): string {
  const name = kind.toLowerCase();
  if (name.endsWith('endpoints')) return name;
  if (/(s|x|ch|sh)$/.test(name)) return `${name}es`;
  if (/[^aeiou]y$/.test(name)) return `${name.slice(0, -1)}ies`;
  return `${name}s`;
}
