// The objects that lead from an entry to the target: an Ingress, or a Gateway with its route. Those of somebody's
// manifests are used as they are; the built-in target gets ours. Pure.
import type { Manifest } from '../../model/manifest.ts';
import { type Identity, labelsOf } from '../assemble.ts';
import { className, entryName, gatewayController } from './traefik.ts';

interface RouteTo {
  readonly service: { readonly name: string; readonly port: number };
  /** IngressClass or GatewayClass; undefined: what the objects themselves say, or the cluster's default. */
  readonly class: string | undefined;
  /** Ours is found by it on a controller that serves others, too; undefined: any. */
  readonly host: string | undefined;
}

export function ingressOf(identity: Identity, { service, class: name, host }: RouteTo): Manifest {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: entryName, namespace: identity.namespace, labels: labelsOf('entry', identity) },
    spec: {
      ...(name !== undefined && { ingressClassName: name }),
      rules: [
        {
          ...(host !== undefined && { host }),
          http: {
            paths: [
              {
                path: '/',
                pathType: 'Prefix',
                backend: { service: { name: service.name, port: { number: service.port } } },
              },
            ],
          },
        },
      ],
    },
  };
}

/** Weights move traffic between Services: the target's alone, unless a scenario says others. */
export function gatewayObjects(
  identity: Identity,
  { service, class: name, host }: RouteTo,
  port: number,
): readonly Manifest[] {
  const metadata = { name: entryName, namespace: identity.namespace, labels: labelsOf('entry', identity) };
  const apiVersion = 'gateway.networking.k8s.io/v1';
  return [
    {
      apiVersion,
      kind: 'Gateway',
      metadata,
      spec: {
        gatewayClassName: name,
        listeners: [{ name: 'web', protocol: 'HTTP', port, allowedRoutes: { namespaces: { from: 'Same' } } }],
      },
    },
    {
      apiVersion,
      kind: 'HTTPRoute',
      metadata,
      spec: {
        parentRefs: [{ name: entryName }],
        ...(host !== undefined && { hostnames: [host] }),
        rules: [{ backendRefs: [{ name: service.name, port: service.port, weight: 100 }] }],
      },
    },
  ];
}

export const gatewayClassOf = (identity: Identity): Manifest => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'GatewayClass',
  metadata: { name: className(identity), labels: labelsOf('entry', identity) },
  spec: { controllerName: gatewayController },
});

interface Rule {
  readonly host?: string;
  readonly http?: {
    readonly paths?: readonly {
      readonly path?: string;
      readonly backend?: { readonly service?: { readonly name?: string } };
    }[];
  };
}

/** The Ingress of somebody's manifests that leads to a Service, and the host that it asks for. */
export function ingressTo(
  manifests: readonly Manifest[],
  service: string,
): { readonly manifest: Manifest; readonly host: string | undefined } | undefined {
  for (const manifest of manifests) {
    if (manifest.kind !== 'Ingress') continue;
    const { rules = [], defaultBackend } = (manifest.spec ?? {}) as {
      rules?: readonly Rule[];
      defaultBackend?: { service?: { name?: string } };
    };
    const rule = rules.find(({ http }) =>
      http?.paths?.some(({ backend }) => backend?.service?.name === service),
    );
    if (rule) return { manifest, host: rule.host?.replace(/^\*\./, 'any.') };
    if (defaultBackend?.service?.name === service) return { manifest, host: undefined };
  }
  return undefined;
}
