// The controller that somebody's cluster has: by its class, and the Service in front of its pods.
import type { Kube } from '../../kube/client.ts';
import { FaultError } from '../../model/errors.ts';

interface FoundController {
  /** Of the IngressClass or GatewayClass. */
  readonly class: string;
  readonly controller: string;
  /** host:port of its Service in the cluster. */
  readonly address: string;
  /** NAMESPACE/NAME. */
  readonly service: string | undefined;
}

interface ClassObject {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: { readonly controller?: string; readonly controllerName?: string };
}
interface ServiceObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec?: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly { readonly port: number; readonly name?: string }[];
  };
}

const sources = {
  ingress: {
    kind: 'IngressClass',
    flag: '--ingress-class',
    path: '/apis/networking.k8s.io/v1/ingressclasses',
    byDefault: 'ingressclass.kubernetes.io/is-default-class',
  },
  gateway: {
    kind: 'GatewayClass',
    flag: '--gateway-class',
    path: '/apis/gateway.networking.k8s.io/v1/gatewayclasses',
    byDefault: undefined,
  },
} as const;

/** What the charts of well-known controllers call themselves (app.kubernetes.io/name), by a part of the controller's name. */
const appNames: readonly (readonly [controller: RegExp, names: readonly string[]])[] = [
  [/ingress-nginx/, ['ingress-nginx']],
  [/traefik/, ['traefik']],
  [/haproxy/, ['kubernetes-ingress', 'haproxy-ingress', 'haproxy']],
  [/envoyproxy/, ['envoy']],
  [/contour/, ['envoy', 'contour']],
  [/nginx\.org/, ['nginx-ingress', 'nginx-gateway-fabric']],
  [/istio/, ['istio-ingressgateway', 'istio']],
  [/konghq/, ['kong', 'gateway']],
];

/** Throws FaultError that says what there is, and what to name. */
export async function findController(
  kube: Kube,
  of: 'ingress' | 'gateway',
  asked: string | undefined,
): Promise<FoundController> {
  const { kind, flag, path, byDefault } = sources[of];
  const answer = await kube.raw('GET', path);
  if (answer.status === 403)
    throw new FaultError(
      `Entry ${of}: you may not list ${kind}es; ask for that right, or measure a URL (--entry URL).`,
    );
  const classes =
    answer.status === 200 ? (JSON.parse(answer.text) as { items: readonly ClassObject[] }).items : [];
  const names = classes.map(({ metadata }) => metadata.name).join(', ') || 'none';
  const marked = classes.filter(
    ({ metadata }) => byDefault !== undefined && metadata.annotations?.[byDefault] === 'true',
  );
  const [only] = marked.length === 1 ? marked : classes.length === 1 ? classes : [];
  const chosen = asked === undefined ? only : classes.find(({ metadata }) => metadata.name === asked);
  if (!chosen) {
    throw new FaultError(
      asked === undefined
        ? `Entry ${of}: ${classes.length === 0 ? `the cluster has no ${kind}` : `the cluster has several (${names}) and none is its default`}. ${classes.length === 0 ? 'Install a controller (kind: --install-ingress traefik)' : `Say which one with ${flag}`}, or measure a URL (--entry URL).`
        : `Entry ${of}: the cluster has no ${kind} ${asked}; it has ${names}.`,
    );
  }
  const controller = chosen.spec?.controller ?? chosen.spec?.controllerName ?? '';
  const service = await serviceOf(kube, of, controller);
  const port =
    service.spec?.ports?.find(({ port: one }) => one === 80)?.port ?? service.spec?.ports?.[0]?.port;
  return {
    class: chosen.metadata.name,
    controller,
    address: `${service.spec?.clusterIP}:${port}`,
    service: `${service.metadata.namespace}/${service.metadata.name}`,
  };
}

async function serviceOf(kube: Kube, of: string, controller: string): Promise<ServiceObject> {
  const { status, text } = await kube.raw('GET', '/api/v1/services');
  if (status !== 200)
    throw new FaultError(
      `Entry ${of}: the Services of the cluster may not be listed (${status}), so the one of controller ${controller} is not found; measure a URL (--entry URL).`,
    );
  const { items } = JSON.parse(text) as { items: readonly ServiceObject[] };
  const found = servicesFor(items, controller);
  const [first] = found;
  if (first) return first;
  throw new FaultError(
    `Entry ${of}: no Service with port 80 was found in front of the pods of controller ${controller}; measure a URL (--entry URL).`,
  );
}

/** Those that fit by label, the ones for the outside first. Pure. */
export function servicesFor(items: readonly ServiceObject[], controller: string): ServiceObject[] {
  const names = appNames.find(([pattern]) => pattern.test(controller))?.[1] ?? [];
  const outer = ({ spec }: ServiceObject) =>
    spec?.type === 'LoadBalancer' ? 0 : spec?.type === 'NodePort' ? 1 : 2;
  return items
    .filter(
      ({ metadata, spec }) =>
        names.includes(metadata.labels?.['app.kubernetes.io/name'] ?? '') &&
        spec?.clusterIP !== undefined &&
        spec.clusterIP !== 'None' &&
        Object.keys(spec.selector ?? {}).length > 0 &&
        spec.ports?.some(({ port }) => port === 80),
    )
    .sort((a, b) => outer(a) - outer(b));
}
