// A mesh's proxy is put into the pod when it is created: its shutdown decides, and these manifests do not show it.
import { type Fields, has, text } from '../fields.ts';
import { notMeasurable } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { podTemplateOf } from '../pod-template.ts';
import { preStopOf } from '../prestop.ts';
import type { CheckInput, Rule } from '../rule.ts';

export const injectedProxy: Rule = {
  id: 'injected-proxy',
  severity: 'note',
  title: 'a mesh’s proxy that is injected stops by its own rules',
  why: 'All connections of the pod go through the proxy. It gets SIGTERM when the app’s preStop hook begins: when it stops first (Istio drains for 5 s, Linkerd stops at once unless told to wait), the app is cut off while it sleeps and serves.',
  scenario: 'image-change',
  find: ({ workloads }: CheckInput) =>
    workloads.flatMap((workload) => {
      const { object, traffic, podPath } = workload;
      const template = podTemplateOf(object);
      if (!template || traffic.kind === 'none') return [];
      const mesh = meshOf(template.labels, template.annotations);
      if (!mesh) return [];
      const slept = Math.max(0, ...traffic.containers.map((own) => preStopOf(own)?.seconds ?? 0));
      const metadata = [...podPath.slice(0, -1), 'metadata', 'annotations'];
      const seconds = Math.max(5, Math.ceil(slept)) + 5;
      const [key, value] =
        mesh === 'Istio'
          ? ['proxy.istio.io/config', `terminationDrainDuration: ${seconds}s`]
          : ['config.alpha.linkerd.io/proxy-wait-before-exit-seconds', String(seconds)];
      return [
        {
          object,
          path: [...podPath.slice(0, -1), 'metadata'],
          message: `${nameOf(object)}: ${mesh} injects its proxy, which stops by its own rules while the app ${slept > 0 ? `sleeps ${slept} s` : 'stops'}: what comes through it then is cut.`,
          changes: [
            {
              set: [...metadata, key!],
              value,
              comment: 'longer than the app’s preStop sleep; or run the proxy as a native sidecar',
            },
          ],
        },
      ];
    }),
  measured: notMeasurable,
};

function meshOf(labels: Fields, annotations: Fields): 'Istio' | 'Linkerd' | undefined {
  const own = { ...annotations, ...labels };
  const istio = text(own['sidecar.istio.io/inject']) === 'true' || own['sidecar.istio.io/inject'] === true;
  const waits = String(own['proxy.istio.io/config'] ?? '').includes('terminationDrainDuration');
  const exits = String(own['proxy.istio.io/config'] ?? '').includes('EXIT_ON_ZERO_ACTIVE_CONNECTIONS');
  const native = String(own['sidecar.istio.io/nativeSidecar'] ?? '') === 'true';
  if (istio && !waits && !exits && !native) return 'Istio';
  const linkerd = own['linkerd.io/inject'] === 'enabled' || own['linkerd.io/inject'] === 'ingress';
  const told =
    has(own['config.alpha.linkerd.io/proxy-wait-before-exit-seconds']) ||
    String(own['config.alpha.linkerd.io/proxy-enable-native-sidecar'] ?? '') === 'true' ||
    String(own['config.beta.linkerd.io/proxy-enable-native-sidecar'] ?? '') === 'true';
  return linkerd && !told ? 'Linkerd' : undefined;
}
