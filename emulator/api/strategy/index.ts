// The strategy of each resource that has one.
import { daemonSetStrategy } from './daemonset.ts';
import { deploymentStrategy } from './deployment.ts';
import { jobStrategy } from './job.ts';
import { namespaceStrategy } from './namespace.ts';
import { persistentVolumeClaimStrategy } from './persistent-volume-claim.ts';
import { podStrategy } from './pod.ts';
import { quotaStrategy } from './resource-quota.ts';
import { secretStrategy } from './secret.ts';
import { serviceStrategy } from './service.ts';
import type { Strategy } from './strategy.ts';

const strategies: Readonly<Record<string, Strategy>> = {
  namespaces: namespaceStrategy,
  pods: podStrategy,
  services: serviceStrategy,
  events: { createsOnUpdate: true },
  endpoints: { createsOnUpdate: true },
  secrets: secretStrategy,
  serviceaccounts: { returnsDeleted: true },
  limitranges: { createsOnUpdate: true },
  resourcequotas: quotaStrategy,
  persistentvolumeclaims: persistentVolumeClaimStrategy,
  persistentvolumes: { returnsDeleted: true },
  podtemplates: { returnsDeleted: true },
  deployments: deploymentStrategy,
  daemonsets: daemonSetStrategy,
  jobs: jobStrategy,
  // As jobs (registry/batch/cronjob/strategy.go).
  cronjobs: { defaultPropagation: 'Orphan' },
  replicationcontrollers: { defaultPropagation: 'Orphan' },
  leases: { createsOnUpdate: true },
  rolebindings: { createsOnUpdate: true },
  roles: { createsOnUpdate: true },
  clusterroles: { createsOnUpdate: true },
  clusterrolebindings: { createsOnUpdate: true },
  storageclasses: { returnsDeleted: true },
};
const none: Strategy = {};

export function strategyOf({ resource }: { readonly resource: string }): Strategy {
  return Object.hasOwn(strategies, resource) ? strategies[resource]! : none;
}
