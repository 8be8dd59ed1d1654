// A Service that sends to pods before they are ready.
import { fields } from '../fields.ts';
import { lossesTo } from '../measured.ts';
import { nameOf, partnerName } from '../objects.ts';
import type { CheckInput, Rule } from '../rule.ts';
import { hasReadyGate } from '../traffic.ts';

export const publishNotReady: Rule = {
  id: 'publish-not-ready',
  severity: 'warning',
  title: 'publishNotReadyAddresses on a Service with an address',
  why: 'publishNotReadyAddresses is for peers that must find one another before they are ready (a headless Service). On a Service with an address of its own clients are sent to pods that do not listen yet, whatever their readinessProbe says.',
  scenario: 'image-change',
  find: ({ related }: CheckInput) =>
    related.kind('Service').flatMap((service) => {
      const pods = related.selectedBy(service);
      if (pods.length === 0 || hasReadyGate(service) || fields(service.value.spec).clusterIP === 'None')
        return [];
      const path = [...service.base, 'spec', 'publishNotReadyAddresses'];
      const own = fields(service.value.spec).publishNotReadyAddresses === true;
      return [
        {
          object: service,
          path,
          message: `${nameOf(service)} publishes pods that are not ready: its clients are sent to pods of ${partnerName(pods[0]!, service)} before they listen.`,
          changes: own ? [{ remove: path }] : [],
          advice: '# remove the annotation service.alpha.kubernetes.io/tolerate-unready-endpoints',
        },
      ];
    }),
  measured: lossesTo(['routed-before-listening']),
};
