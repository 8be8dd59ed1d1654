// What every cluster has from its start: the Service `kubernetes` and its endpoints, a StorageClass, priority classes.
// Source: pkg/controlplane/controller/kubernetesservice; the StorageClass is named as on kind.
import { localProvisioner } from '../controllers/volume/controller.ts';
import type { Registry, Service } from './types.ts';

const labels = { component: 'apiserver', provider: 'kubernetes' };

/** Its clusterIP is the address by which pods know the API server. */
export function createClusterObjects(registry: Registry): Service {
  for (const [name, value, description] of [
    ['system-cluster-critical', 2_000_000_000, 'Used for system critical pods that must run in the cluster.'],
    ['system-node-critical', 2_000_001_000, 'Used for system critical pods that must not leave their node.'],
  ] as const) {
    registry.create('priorityclasses', { metadata: { name }, value, description });
  }
  registry.create('storageclasses', {
    metadata: {
      name: 'standard',
      annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
    },
    provisioner: localProvisioner,
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  return registry.create('services', {
    metadata: { name: 'kubernetes', namespace: 'default', labels },
    spec: { ports: [{ name: 'https', port: 443, targetPort: 6443, protocol: 'TCP' }] },
  });
}

/** Where the API server listens, as endpoints of its Service. */
export function publishApiServer(registry: Registry, host: string, port: number): void {
  registry.create('endpoints', {
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
    },
    subsets: [{ addresses: [{ ip: host }], ports: [{ name: 'https', port, protocol: 'TCP' }] }],
  });
  registry.create('endpointslices', {
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'kubernetes' },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: [host], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  });
}
