// Traefik as an experiment's own ingress controller and gateway: in the experiment's namespace, serving nothing else.
// What must stand outside a namespace (rights, classes) carries the run's label and is removed by name. Pure.
// https://doc.traefik.io/traefik/reference/install-configuration/providers/kubernetes/kubernetes-ingress/
// https://doc.traefik.io/traefik/reference/install-configuration/providers/kubernetes/kubernetes-gateway/
import type { Manifest } from '../../model/manifest.ts';
import { mergeManifest } from '../../model/merge-manifest.ts';
import { type Identity, labelsOf } from '../assemble.ts';

export const traefikImage = 'traefik:v3.6.12';
/** Of its Deployment, its Service, and the objects that lead through it to the target. */
export const entryName = 'rollproof-entry';
/** Where it listens for the load, and where it says how it is. */
export const webPort = 8000;
const pingPort = 8080;
export const ingressController = 'traefik.io/ingress-controller';
export const gatewayController = 'traefik.io/gateway-controller';

interface TraefikOptions {
  readonly replicas: number;
  /** Flags beside ours, and fields of the pod's spec and of its container: what a scenario is about. */
  readonly args: readonly string[];
  readonly patch: Readonly<Record<string, unknown>>;
  readonly gateway: boolean;
}

/** In order of creation. The class is called as the rights are: each experiment has its own. */
export function traefikManifests(identity: Identity, options: TraefikOptions): readonly Manifest[] {
  const { namespace } = identity;
  const labels = labelsOf('entry', identity);
  const metadata = { name: entryName, namespace, labels };
  const selector = { 'rollproof.dev/entry': identity.experiment.slice(0, 63), ...selecting(labels) };
  const clusterWide = { name: className(identity), labels };
  const manifests: Manifest[] = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: clusterWide,
      rules: rights(options.gateway),
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: clusterWide,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: clusterWide.name },
      subjects: [{ kind: 'ServiceAccount', name: entryName, namespace }],
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: clusterWide,
      spec: { controller: ingressController },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector, ports: [{ name: 'web', port: 80, targetPort: webPort }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: options.replicas,
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: { ...labels, ...selector } },
          spec: {
            serviceAccountName: entryName,
            containers: [
              {
                name: 'traefik',
                image: traefikImage,
                imagePullPolicy: 'IfNotPresent',
                args: [...flags(identity, options.gateway), ...options.args],
                ports: [{ name: 'web', containerPort: webPort }],
                // A pod without a request has next to no share of a busy node's CPU.
                resources: { requests: { cpu: '20m' } },
                readinessProbe: { httpGet: { path: '/ping', port: pingPort }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    },
  ];
  return manifests.map((manifest) =>
    manifest.kind === 'Deployment' ? mergeManifest(manifest, options.patch) : manifest,
  );
}

/** Cluster-wide names are one for each experiment: two are deployed at a time. */
export const className = ({ namespace }: Identity): string =>
  namespace.startsWith('rollproof-') ? namespace : `rollproof-${namespace}`;

const selecting = (labels: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(labels).filter(([name]) => name.startsWith('rollproof.dev/')));

const flags = (identity: Identity, gateway: boolean): string[] => [
  '--global.checknewversion=false',
  '--global.sendanonymoususage=false',
  `--entrypoints.web.address=:${webPort}`,
  `--entrypoints.traefik.address=:${pingPort}`,
  '--ping=true',
  '--accesslog=true',
  '--accesslog.format=json',
  '--accesslog.fields.headers.names.X-Request-Id=keep',
  // Answers that are errors, and whatever was sent again: the rest would be a line for each request of the load.
  '--accesslog.filters.statuscodes=400-599',
  '--accesslog.filters.retryattempts=true',
  ...(gateway
    ? ['--providers.kubernetesgateway=true', `--providers.kubernetesgateway.namespaces=${identity.namespace}`]
    : [
        '--providers.kubernetesingress=true',
        `--providers.kubernetesingress.namespaces=${identity.namespace}`,
        `--providers.kubernetesingress.ingressclass=${className(identity)}`,
      ]),
];

const read = ['get', 'list', 'watch'];

const rights = (gateway: boolean) => [
  { apiGroups: [''], resources: ['services', 'secrets', 'nodes', 'namespaces', 'configmaps'], verbs: read },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: read },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses', 'ingressclasses'], verbs: read },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses/status'], verbs: ['update'] },
  ...(gateway
    ? [
        { apiGroups: ['gateway.networking.k8s.io'], resources: ['*'], verbs: read },
        {
          apiGroups: ['gateway.networking.k8s.io'],
          resources: ['gatewayclasses/status', 'gateways/status', 'httproutes/status', 'grpcroutes/status'],
          verbs: ['update'],
        },
      ]
    : []),
];
