// The manifests of k6 as a pod: one container per stream of the plan. Pure.
import type { StreamPlan } from '../model/load.ts';
import type { Manifest } from '../model/manifest.ts';
import { type Identity, labelsOf } from './assemble.ts';
import { pinnedTo } from './own-pods.ts';

export const k6Name = 'rollproof-k6';
const firstApiPort = 6565;

/** One stream's container, and the port of k6's REST API in it. */
export interface K6Container {
  readonly stream: StreamPlan;
  readonly container: string;
  readonly apiPort: number;
}

export const k6Containers = (streams: readonly StreamPlan[]): readonly K6Container[] =>
  streams.map((stream, index) => ({ stream, container: `k6-${stream.id}`, apiPort: firstApiPort + index }));

/**
 * k6 is paused until it is told to go, on the agents' node so that it goes the same way. Plans may carry credentials in
 * headers: they are in a Secret. The pod ends by itself after `limitMs`, whatever becomes of the harness.
 */
export function k6Manifests(
  identity: Identity,
  image: string,
  node: string,
  containers: readonly K6Container[],
  limitMs: number,
): readonly Manifest[] {
  const metadata = {
    name: k6Name,
    namespace: identity.namespace,
    labels: labelsOf('cross-check', identity),
  };
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      stringData: Object.fromEntries(
        containers.map(({ container, stream }) => [container, JSON.stringify(stream)]),
      ),
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      spec: {
        restartPolicy: 'Never',
        activeDeadlineSeconds: Math.ceil(limitMs / 1000),
        terminationGracePeriodSeconds: 1,
        enableServiceLinks: false,
        automountServiceAccountToken: false,
        ...pinnedTo(node),
        containers: containers.map(({ container, apiPort }) => ({
          name: container,
          image,
          imagePullPolicy: 'IfNotPresent',
          args: [
            ...['run', '--quiet', '--no-color', '--no-usage-report', '--paused'],
            ...['--address', `:${apiPort}`],
            // A line per failed request would be of no use, and carry URLs.
            ...['--log-output', 'file=/dev/stderr,level=error'],
            '/script.js',
          ],
          env: [{ name: 'PLAN', valueFrom: { secretKeyRef: { name: k6Name, key: container } } }],
        })),
      },
    },
  ];
}
