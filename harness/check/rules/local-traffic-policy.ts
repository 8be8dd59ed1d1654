// A Service that sends only to pods of the node on which a connection comes in.
import { fields } from '../fields.ts';
import { lossesTo } from '../measured.ts';
import { nameOf, partnerName } from '../objects.ts';
import { preStopOf } from '../prestop.ts';
import type { CheckInput, Rule } from '../rule.ts';

/** What a load balancer's health check takes at least to notice. */
const LONG_SECONDS = 10;

export const localTrafficPolicy: Rule = {
  id: 'local-traffic-policy',
  severity: 'warning',
  title: 'externalTrafficPolicy Local, and pods that leave their node',
  why: 'With Local a node sends what comes in from outside to its own pods only. When the last one of a node stops, connections that still come in there are dropped until the load balancer’s health check has noticed, which takes seconds. A pod must therefore go on serving for as long after its deletion, or a second one must start on the node first.',
  scenario: 'image-change',
  find: ({ workloads, related }: CheckInput) =>
    workloads.flatMap((workload) => {
      const { object, kind } = workload;
      if (kind !== 'DaemonSet' && kind !== 'Deployment' && kind !== 'Rollout') return [];
      const service = related.services(object).find(({ value }) => {
        const { type, externalTrafficPolicy } = fields(value.spec);
        return externalTrafficPolicy === 'Local' && (type === 'LoadBalancer' || type === 'NodePort');
      });
      if (!service) return [];
      // A hook whose length cannot be read is the author's own way of waiting.
      const slept = workload.traffic.containers.every((container) => {
        const preStop = preStopOf(container);
        return preStop !== undefined && (preStop.seconds ?? LONG_SECONDS) >= LONG_SECONDS;
      });
      if (workload.traffic.containers.length > 0 && slept) return [];
      const path = [...service.base, 'spec', 'externalTrafficPolicy'];
      return [
        {
          object: service,
          other: object,
          path,
          message: `${nameOf(service)} has externalTrafficPolicy Local: when ${partnerName(object, service)} replaces the pod of a node, that node drops new connections until the load balancer has noticed.`,
          changes: [],
          advice:
            '# a preStop sleep longer than the load balancer’s health check (20 s, say) and, for a DaemonSet, maxSurge 1;\n# or externalTrafficPolicy: Cluster, if the client’s address is not needed',
        },
      ];
    }),
  measured: lossesTo(['no-endpoint', 'routed-after-stop']),
};
