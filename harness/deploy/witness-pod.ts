// The pod that reads a node's connection tracking on a cluster of somebody's. Pure.
import type { Manifest } from '../model/manifest.ts';
import type { OwnPods } from '../model/own-pods.ts';
import { type Identity, labelsOf } from './assemble.ts';
import { agentLabels, ownPodFields, ownPodMetadata, pinnedTo } from './own-pods.ts';

export const witnessName = 'rollproof-witness';

interface WitnessPodOptions {
  /** With conntrack, bash and grep. */
  readonly image: string;
  /** Undefined: the one that the load agents get. */
  readonly node: string | undefined;
  /** Bash that writes the events, a line each, and ends when it is told to. */
  readonly events: string;
  /** It ends by itself after that, whatever becomes of the harness. */
  readonly deadlineMs: number;
  /** Of several. */
  readonly index: number;
}

/**
 * A Job of one pod in the node's network, because the events are those of a network namespace, with NET_ADMIN, which the
 * kernel asks for, and nothing else: no other right, no account, no volume, a file system that cannot be written to.
 */
export function witnessJob(
  identity: Identity,
  own: OwnPods,
  { image, node, events, deadlineMs, index }: WitnessPodOptions,
): Manifest {
  const labels = labelsOf('witness', identity);
  const fields = ownPodFields({ ...own, containers: false }, 'with-agents', agentLabels(identity));
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: `${witnessName}-${index + 1}`, namespace: identity.namespace, labels },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: Math.ceil(deadlineMs / 1000),
      ttlSecondsAfterFinished: 60,
      template: {
        metadata: ownPodMetadata(own, labels),
        spec: {
          restartPolicy: 'Never',
          ...fields,
          ...(node !== undefined && { affinity: undefined, ...pinnedTo(node) }),
          hostNetwork: true,
          containers: [
            {
              name: 'conntrack',
              image,
              imagePullPolicy: 'IfNotPresent',
              command: ['bash', '-c', events],
              securityContext: {
                runAsUser: 0,
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
                seccompProfile: { type: 'RuntimeDefault' },
              },
              resources: {
                requests: { cpu: '50m', memory: '32Mi' },
                limits: { cpu: '500m', memory: '96Mi' },
              },
            },
          ],
        },
      },
    },
  };
}
