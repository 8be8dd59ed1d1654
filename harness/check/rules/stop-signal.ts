// A stop signal in the pod's spec: honoured behind a feature gate alone, and SIGKILL leaves no time to stop.
import { containerName } from '../container.ts';
import { fields, text } from '../fields.ts';
import { notMeasurable } from '../measured.ts';
import { nameOf } from '../objects.ts';
import type { CheckInput, Rule } from '../rule.ts';

/** ContainerStopSignals (KEP-4960): alpha from 1.33 on, and off unless it was switched on. */
const knownFromMinor = 33;

export const stopSignal: Rule = {
  id: 'stop-signal',
  severity: 'note',
  title: 'lifecycle.stopSignal',
  why: 'lifecycle.stopSignal needs the feature gate ContainerStopSignals, which is off by default: without it the API server drops the field, and the app gets the signal of its image (SIGTERM unless the image says another). An app that closes well at another signal alone is then cut off.',
  scenario: 'image-change',
  find: ({ workloads, kubernetesMinor }: CheckInput) =>
    workloads.flatMap(({ object, containers }) =>
      containers.flatMap((container) => {
        const signal = text(fields(container.value.lifecycle).stopSignal);
        if (signal === undefined || signal === 'SIGTERM') return [];
        const kills = signal === 'SIGKILL';
        return [
          {
            object,
            path: [...container.path, 'lifecycle', 'stopSignal'],
            severity: kills ? ('warning' as const) : ('note' as const),
            message: kills
              ? `${containerName(container)} of ${nameOf(object)} is stopped by SIGKILL: requests in flight are cut off at every rollout.`
              : `${containerName(container)} of ${nameOf(object)} is to be stopped by ${signal}: ${kubernetesMinor < knownFromMinor ? `Kubernetes 1.${kubernetesMinor} does not know lifecycle.stopSignal` : 'without the feature gate ContainerStopSignals the field is dropped'}, and the signal of the image is sent.`,
            changes: [],
            advice: kills
              ? '# take the field away: SIGTERM is what apps can answer'
              : `# let the image say it (STOPSIGNAL ${signal}), or the app stop well at SIGTERM`,
          },
        ];
      }),
    ),
  measured: notMeasurable,
};
