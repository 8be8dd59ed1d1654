// A Pod that nothing owns is not replaced by anybody.
import { notMeasurable } from '../measured.ts';
import { nameOf, partnerName } from '../objects.ts';
import type { CheckInput, Rule } from '../rule.ts';

export const barePod: Rule = {
  id: 'bare-pod',
  severity: 'warning',
  title: 'a Pod of its own behind a Service',
  why: 'A Pod that no Deployment owns cannot be rolled out, and is gone for good when its node is drained, its node fails or it is evicted: nobody starts another one.',
  scenario: 'node-drain',
  find: ({ related }: CheckInput) =>
    related.kind('Pod').flatMap((pod) => {
      const [service] = related.services(pod);
      if (!service) return [];
      return [
        {
          object: pod,
          other: service,
          path: [...pod.base, 'kind'],
          want: 'value' as const,
          message: `${nameOf(pod)} is behind ${partnerName(service, pod)} and nothing replaces it when it goes.`,
          changes: [],
          advice: '# make it the template of a Deployment',
        },
      ];
    }),
  measured: notMeasurable,
};
