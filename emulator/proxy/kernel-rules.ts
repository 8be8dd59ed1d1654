// kube-proxy's rules for the kernel of the cluster's own network (nft): one table per node, as each node has rules of its
// own; connections are sent to a pod before they are made, so what a pod answers is what the client sees.
import type { Endpoint, ServicePort } from './service-table.ts';

interface RulesPlace {
  /** Of the node's table. */
  readonly name: string;
  /** Whose connections follow this node's rules: addresses or ranges "a-b". */
  readonly sources: readonly string[];
  readonly nodeAddress: string;
}

/** ClientIP affinity's default, 3 h. */
const AFFINITY = '3h';

/**
 * The script that makes `table` the rules of a node, in one transaction. Who was sent where by session affinity is kept
 * for the endpoints that stay: `known` are the affinity sets that the kernel has; it is brought up to date.
 */
export function kernelRules(
  { name, sources, nodeAddress }: RulesPlace,
  table: readonly ServicePort[],
  known: Set<string>,
): string {
  const chains: string[] = [];
  const sets = new Set<string>();
  const services: string[] = [];
  const nodePorts: string[] = [];
  const refused: string[] = [];
  const dropped: string[] = [];
  const pods = new Set<string>();
  let count = 0;
  const chainFor = (entry: ServicePort, endpoints: readonly Endpoint[], side: string): string => {
    const own = `s${count++}`;
    const targets = endpoints.map((endpoint, index) => {
      const chain = `${own}e${index}`;
      pods.add(endpoint.ip);
      const set = entry.sticky ? affinitySet(entry, endpoint, side) : undefined;
      if (set) sets.add(set);
      chains.push(
        `chain ${chain} {`,
        ...(set ? [`update @${set} { ip saddr }`] : []),
        `meta l4proto tcp dnat to ${endpoint.ip}:${endpoint.port}`,
        '}',
      );
      return { chain, set };
    });
    chains.push(
      `chain ${own} {`,
      ...targets.flatMap(({ chain, set }) => (set ? [`ip saddr @${set} goto ${chain}`] : [])),
      targets.length === 1
        ? `goto ${targets[0]?.chain}`
        : `numgen random mod ${targets.length} vmap { ${targets.map(({ chain }, index) => `${index} : goto ${chain}`).join(', ')} }`,
      '}',
    );
    return own;
  };
  for (const entry of table) {
    const place = `${entry.clusterIP} . ${entry.port}`;
    if (entry.endpoints.length > 0)
      services.push(`${place} : goto ${chainFor(entry, entry.endpoints, 'in')}`);
    else (entry.drops ? dropped : refused).push(place);
    if (entry.nodePort === undefined) continue;
    const outside = `${nodeAddress} . ${entry.nodePort}`;
    if (entry.externalEndpoints.length > 0)
      nodePorts.push(`${outside} : goto ${chainFor(entry, entry.externalEndpoints, 'out')}`);
    else (entry.externalDrops ? dropped : refused).push(outside);
  }
  for (const set of known) if (!sets.has(set)) known.delete(set);
  const from = `ip saddr { ${sources.join(', ')} }`;
  // Affinity lives in sets of the table; a table without it is simply made anew.
  const keeps = sets.size > 0;
  for (const set of sets) known.add(set);
  return [
    `table ip ${name}`,
    ...(keeps ? [`flush table ip ${name}`] : [`delete table ip ${name}`]),
    `table ip ${name} {`,
    ...[...sets].map((set) => `set ${set} { type ipv4_addr; flags dynamic,timeout; timeout ${AFFINITY}; }`),
    ...chains,
    'chain before {',
    'type filter hook prerouting priority -110',
    ...(refused.length > 0
      ? [`ct state new ${from} ip daddr . tcp dport { ${refused.join(', ')} } reject`]
      : []),
    ...(dropped.length > 0
      ? [`ct state new ${from} ip daddr . tcp dport { ${dropped.join(', ')} } drop`]
      : []),
    '}',
    'chain route {',
    'type nat hook prerouting priority -100',
    ...(services.length > 0 ? [`${from} ip daddr . tcp dport vmap { ${services.join(', ')} }`] : []),
    ...(nodePorts.length > 0 ? [`ip daddr . tcp dport vmap { ${nodePorts.join(', ')} }`] : []),
    '}',
    // A pod that reaches itself through its Service must not see itself as the client.
    'chain after {',
    'type nat hook postrouting priority 100',
    ...(pods.size > 0
      ? [
          `ct status dnat ip saddr . ip daddr { ${[...pods].map((ip) => `${ip} . ${ip}`).join(', ')} } masquerade`,
        ]
      : []),
    '}',
    '}',
    '',
  ].join('\n');
}

function affinitySet(entry: ServicePort, endpoint: Endpoint, side: string): string {
  const text = `a_${side}_${entry.namespace}_${entry.service}_${entry.port}_${endpoint.ip}_${endpoint.port}`;
  return text.replaceAll(/[^a-zA-Z0-9_]/g, '_').slice(0, 120);
}
