// The RBAC objects for the rights of a run, as YAML with a comment per rule. Pure.
import { type Right, type RightsWanted, rightsNeeded, watchPlaces } from './rights.ts';

interface RbacNames {
  /** Of the ServiceAccount, the role and the binding. */
  readonly name: string;
  /** Where the ServiceAccount is, when the run makes namespaces of its own. */
  readonly accountNamespace: string;
}

interface WatchRights {
  /** Of the Services. */
  readonly namespace: string;
  readonly agentNamespace: string;
  readonly witness?: RightsWanted['witness'];
}

/** Of `rollproof rbac`, with a space before them. */
export function watchFlags({ namespace, agentNamespace, witness }: WatchRights): string {
  const agents = agentNamespace === namespace ? '' : ` --agent-namespace ${agentNamespace}`;
  return ` --watch --namespace ${namespace}${agents}${witnessFlags(witness)}`;
}

const witnessFlags = (witness: RightsWanted['witness']): string =>
  witness === undefined ? '' : witness === 'kube-proxy' ? ' --witness' : ' --witness --witness-image IMAGE';

/**
 * For a watch: a Role in the namespace of the Services, one in that of the agents, which may be the same, and one in
 * kube-system where the image of kube-proxy has to be looked up. The account stands where the agents are.
 */
export function watchRbacText(wanted: WatchRights, name: string): string {
  const { namespace, agentNamespace, witness } = wanted;
  const role = (where: string, rights: readonly Right[]) => [
    '---',
    ...objectLines('Role', name, where),
    'rules:',
    ...rights.flatMap(ruleLines),
    '---',
    ...bindingLines('Role', 'RoleBinding', name, where, agentNamespace),
  ];
  return [
    `# What \`rollproof watch -n ${namespace}${agentNamespace === namespace ? '' : ` --agent-namespace ${agentNamespace}`}${witnessFlags(witness)}\` needs, and no more. Printed by \`rollproof rbac${watchFlags(wanted)}\`;`,
    '# apply it with kubectl apply -f. For a user or a group, change the subjects of the bindings.',
    '# Services, pods and what owns them are read; nothing is changed or deleted but what has the label of the run.',
    'apiVersion: v1',
    'kind: ServiceAccount',
    'metadata:',
    `  name: ${name}`,
    `  namespace: ${agentNamespace}`,
    ...watchPlaces(wanted).flatMap(({ namespace: where, rights }) => role(where, rights)),
    '',
  ].join('\n');
}

const objectLines = (kind: string, name: string, namespace: string): string[] => [
  'apiVersion: rbac.authorization.k8s.io/v1',
  `kind: ${kind}`,
  'metadata:',
  `  name: ${name}`,
  `  namespace: ${namespace}`,
];

const bindingLines = (
  role: string,
  kind: string,
  name: string,
  namespace: string,
  accountNamespace: string,
): string[] => [...objectLines(kind, name, namespace), ...boundLines(role, name, accountNamespace)];

/** Which role, and to whom. */
const boundLines = (role: string, name: string, accountNamespace: string): string[] => [
  'roleRef:',
  '  apiGroup: rbac.authorization.k8s.io',
  `  kind: ${role}`,
  `  name: ${name}`,
  'subjects:',
  '  - kind: ServiceAccount',
  `    name: ${name}`,
  `    namespace: ${accountNamespace}`,
];

export function rbacText(wanted: RightsWanted, { name, accountNamespace }: RbacNames): string {
  const { namespace } = wanted;
  const where = namespace ?? accountNamespace;
  const [role, binding] =
    namespace === undefined ? ['ClusterRole', 'ClusterRoleBinding'] : ['Role', 'RoleBinding'];
  const flags = namespace === undefined ? '' : ` --namespace ${namespace}`;
  const metadata = (inside: boolean) => [
    'metadata:',
    `  name: ${name}`,
    ...(inside ? [`  namespace: ${where}`] : []),
  ];
  return [
    `# What \`rollproof verify --cluster context${flags}\` needs, and no more. Printed by \`rollproof rbac${flags}\`; apply it with`,
    '# kubectl apply -f. For a user or a group, change the subjects of the binding.',
    ...(namespace === undefined
      ? ['# Across namespaces, because each experiment makes one; nothing is touched that has not its label.']
      : ['# In one namespace that exists; nothing is touched that has not the label of the run.']),
    'apiVersion: v1',
    'kind: ServiceAccount',
    ...metadata(true),
    '---',
    'apiVersion: rbac.authorization.k8s.io/v1',
    `kind: ${role}`,
    ...metadata(namespace !== undefined),
    'rules:',
    ...rightsNeeded(wanted).flatMap(ruleLines),
    '---',
    'apiVersion: rbac.authorization.k8s.io/v1',
    `kind: ${binding}`,
    ...metadata(namespace !== undefined),
    ...boundLines(role, name, where),
    '',
  ].join('\n');
}

const ruleLines = ({ group, resources, verbs, why, without }: Right): string[] => [
  `  # ${why}${without === undefined ? '' : ` Without it ${without}.`}`,
  `  - apiGroups: [${group === '' ? '""' : group}]`,
  `    resources: [${resources.join(', ')}]`,
  `    verbs: [${verbs.join(', ')}]`,
];
