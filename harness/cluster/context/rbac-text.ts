// The RBAC objects for the rights of a run, as YAML with a comment per rule. Pure.
import { type Right, type RightsWanted, rightsNeeded } from './rights.ts';

interface RbacNames {
  /** Of the ServiceAccount, the role and the binding. */
  readonly name: string;
  /** Where the ServiceAccount is, when the run makes namespaces of its own. */
  readonly accountNamespace: string;
}

/**
 * For a watch: a Role in the namespace of the Services, and one in that of the agents, which may be the same. The account
 * stands where the agents are.
 */
export function watchRbacText(
  { namespace, agentNamespace }: { readonly namespace: string; readonly agentNamespace: string },
  name: string,
): string {
  const flags = `--watch --namespace ${namespace}${agentNamespace === namespace ? '' : ` --agent-namespace ${agentNamespace}`}`;
  const role = (where: string, rights: readonly Right[]) => [
    '---',
    ...objectLines('Role', name, where),
    'rules:',
    ...rights.flatMap(ruleLines),
    '---',
    ...bindingLines('Role', 'RoleBinding', name, where, agentNamespace),
  ];
  const agents = rightsNeeded({ watch: 'agents' });
  const services = rightsNeeded({ watch: 'services' });
  return [
    `# What \`rollproof watch -n ${namespace}${agentNamespace === namespace ? '' : ` --agent-namespace ${agentNamespace}`}\` needs, and no more. Printed by \`rollproof rbac ${flags}\`;`,
    '# apply it with kubectl apply -f. For a user or a group, change the subjects of the bindings.',
    '# Services, pods and what owns them are read; nothing is changed or deleted but what has the label of the run.',
    'apiVersion: v1',
    'kind: ServiceAccount',
    'metadata:',
    `  name: ${name}`,
    `  namespace: ${agentNamespace}`,
    ...(agentNamespace === namespace
      ? role(namespace, [...agents, ...services])
      : [...role(agentNamespace, agents), ...role(namespace, services)]),
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
