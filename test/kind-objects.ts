// What stands on a kind cluster, and what somebody left there or took away: whoever lends a cluster compares before and after.
import type { RunCommand } from '../harness/exec/command.ts';

/** One object that nobody owns, or a mark on a node (taint, label, cordon). */
interface Standing {
  /** `Namespace shop`, `ConfigMap default/shop`, `Node one: taint key:NoSchedule`. */
  readonly what: string;
  /** kubectl's words that take it away. */
  readonly removal: readonly string[];
  /** It is on its way out. */
  readonly leaving: boolean;
}

/** Come and go by themselves. */
const ofThemselves =
  /^(events|leases|certificatesigningrequests|componentstatuses|apiservices|ipaddresses|[a-z]+\.metrics\.k8s\.io)\b/;
const LOOK_LIMIT_MS = 60_000;
const REMOVAL_LIMIT_S = 120;

export class KindObjects {
  private readonly run: RunCommand;
  private readonly node: string;

  /** `node`: the container of a control plane, which has a kubectl and its administrator's kubeconfig. */
  constructor(run: RunCommand, node: string) {
    this.run = run;
    this.node = node;
  }

  /** Everything, by its name in words. */
  async standing(): Promise<ReadonlyMap<string, Standing>> {
    const resources = (await this.kubectl('api-resources', '--verbs=list', '-o', 'name'))
      .split('\n')
      .filter((name) => name !== '' && !ofThemselves.test(name));
    const columns =
      'custom-columns=K:.kind,S:.metadata.namespace,N:.metadata.name,O:.metadata.ownerReferences[*].kind,D:.metadata.deletionTimestamp';
    const rows = await this.kubectl('get', resources.join(), '-A', '--no-headers', '-o', columns);
    const nodes = JSON.parse(await this.kubectl('get', 'nodes', '-o', 'json')) as { items: NodeObject[] };
    const all = [...rows.split('\n').flatMap(objectIn), ...nodes.items.flatMap(marksOf)];
    return new Map(all.map((one) => [one.what, one]));
  }

  async remove(words: readonly string[]): Promise<void> {
    await this.kubectl(...words);
  }

  private async kubectl(...words: readonly string[]): Promise<string> {
    const command = ['exec', this.node, 'kubectl', '--kubeconfig=/etc/kubernetes/admin.conf', ...words];
    const limitMs = words[0] === 'delete' ? (REMOVAL_LIMIT_S + 10) * 1000 : LOOK_LIMIT_MS;
    return (await this.run('docker', command, { limitMs })).stdout;
  }
}

/** What is there and was not, without what lies in a namespace that is itself new, and what is no longer there. */
export function differences(
  before: ReadonlyMap<string, Standing>,
  now: ReadonlyMap<string, Standing>,
): { readonly left: readonly Standing[]; readonly gone: readonly string[] } {
  const added = [...now.values()].filter(({ what }) => !before.has(what));
  const namespaces = added.flatMap(({ what }) => (what.startsWith('Namespace ') ? [what.slice(10)] : []));
  const isInside = ({ what }: Standing) => namespaces.some((name) => what.includes(` ${name}/`));
  return {
    left: added.filter((one) => !isInside(one)),
    gone: [...before.keys()].filter((what) => !now.has(what)),
  };
}

/** A line of kubectl: kind, namespace, name, owners, when it was told to go. Owned ones go with their owner. */
function objectIn(line: string): Standing[] {
  const [kind, namespace = NONE, name, owner, deleted] = line.trim().split(/\s+/);
  if (!kind || !name || owner !== NONE) return [];
  const place = namespace === NONE ? [] : ['--namespace', namespace];
  return [
    {
      what: `${kind} ${namespace === NONE ? '' : `${namespace}/`}${name}`,
      removal: ['delete', `${kind}/${name}`, ...place, '--ignore-not-found', `--timeout=${REMOVAL_LIMIT_S}s`],
      leaving: deleted !== NONE,
    },
  ];
}
const NONE = '<none>';

interface NodeObject {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly unschedulable?: boolean;
    readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  };
}

function marksOf({ metadata: { name, labels = {} }, spec }: NodeObject): Standing[] {
  const mark = (text: string, removal: readonly string[]) => ({
    what: `Node ${name}: ${text}`,
    removal,
    leaving: false,
  });
  return [
    ...(spec.unschedulable ? [mark('cordoned', ['uncordon', name])] : []),
    ...Object.entries(labels).map(([key, value]) =>
      mark(`label ${key}=${value}`, ['label', 'node', name, `${key}-`]),
    ),
    // Those of Kubernetes itself (not-ready, unschedulable) come and go with the node's condition.
    ...(spec.taints ?? [])
      .filter(({ key }) => !key.startsWith('node.kubernetes.io/'))
      .map(({ key, value = '', effect }) =>
        mark(`taint ${key}=${value}:${effect}`, ['taint', 'node', name, `${key}:${effect}-`]),
      ),
  ];
}
