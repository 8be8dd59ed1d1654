/** How kube-proxy can route: the modes that a cluster of ours can be asked for. */
export const proxyModes = ['iptables', 'nftables', 'ipvs'] as const;
export type ProxyMode = (typeof proxyModes)[number];
