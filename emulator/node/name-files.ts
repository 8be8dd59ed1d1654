// /etc/hosts and /etc/resolv.conf of a pod, as the kubelet writes them (pkg/kubelet/kubelet_pods.go, network/dns).
import type { Pod } from '../api/types.ts';

const DOMAIN = 'cluster.local';

/** A host name has at most 63 characters (pkg/kubelet/util: truncatePodHostname). */
export const hostnameOf = (pod: Pod): string =>
  (pod.spec?.hostname ?? pod.metadata.name).slice(0, 63).replace(/[-.]+$/, '');

/** @param nodesOwn The node's file, which pods with hostNetwork see. */
export function hostsFile(pod: Pod, address: string, nodesOwn: string): string {
  const hostname = hostnameOf(pod);
  const { subdomain, hostAliases = [], hostNetwork } = pod.spec ?? {};
  const aliases = [
    ...(hostAliases.length > 0 ? ['', '# Entries added by HostAliases.'] : []),
    ...hostAliases.map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}`),
    '',
  ];
  if (hostNetwork) {
    return ['# Kubernetes-managed hosts file (host network).', nodesOwn.trimEnd(), ...aliases].join('\n');
  }
  const full = subdomain ? `${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${DOMAIN}\t` : '';
  return [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    `${address}\t${full}${hostname}`,
    ...aliases,
  ].join('\n');
}

/** Names are looked up in the cluster first, whatever the policy but None: pods reach no other name server. */
export function resolvFile(pod: Pod, nameServer: string | undefined): string {
  const { dnsPolicy, dnsConfig } = pod.spec ?? {};
  const cluster = dnsPolicy !== 'None' && nameServer !== undefined;
  const namespace = pod.metadata.namespace ?? 'default';
  const search = [
    ...(cluster ? [`${namespace}.svc.${DOMAIN}`, `svc.${DOMAIN}`, DOMAIN] : []),
    ...(dnsConfig?.searches ?? []),
  ];
  const options = new Map<string, string | undefined>(cluster ? [['ndots', '5']] : []);
  for (const { name, value } of dnsConfig?.options ?? []) if (name) options.set(name, value);
  return [
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(cluster ? [`nameserver ${nameServer}`] : []),
    ...(dnsConfig?.nameservers ?? []).map((address) => `nameserver ${address}`),
    ...(options.size > 0
      ? [`options ${[...options].map(([name, value]) => (value ? `${name}:${value}` : name)).join(' ')}`]
      : []),
    '',
  ].join('\n');
}
