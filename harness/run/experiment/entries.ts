// The entries of an experiment: what stands before the target is deployed, found or installed, and each gets an address.
import { createObjects } from '../../deploy/apply.ts';
import type { Identity } from '../../deploy/assemble.ts';
import type { TargetDefinition } from '../../deploy/definition.ts';
import { findController } from '../../deploy/entries/find.ts';
import { hasGatewayApi } from '../../deploy/entries/gateway-api.ts';
import { gatewayClassOf, gatewayObjects, ingressOf, ingressTo } from '../../deploy/entries/routes.ts';
import {
  className,
  entryName,
  gatewayController,
  ingressController,
  traefikManifests,
  webPort,
} from '../../deploy/entries/traefik.ts';
import { removeOwn } from '../../deploy/metrics-server.ts';
import type { Kube } from '../../kube/client.ts';
import type { Entry, MeasuredEntry } from '../../model/entry.ts';
import { FaultError } from '../../model/errors.ts';
import type { Lifetime } from '../../model/lifetime.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Scenario } from '../../model/scenario.ts';
import { clusterIpOf } from './address.ts';
import type { RunContext } from './context.ts';
import type { OpenEntry, Standing } from './open-entry.ts';

export const standingOf = ({ kind, from }: Entry): Standing =>
  kind === 'outside' ? 'outside' : kind === 'url' && from === 'here' ? 'here' : 'inside';

interface InstalledEntry {
  /** Of the controller's pods. */
  readonly replicas: number;
  readonly service: Manifest | undefined;
}

const needsController = ({ kind }: Entry): boolean => kind === 'ingress' || kind === 'gateway';

/** Creates the controller where one is to be installed; its pods are waited for with the others. */
export async function installController(
  run: Pick<RunContext, 'cluster' | 'entering'> & { readonly kube: Kube },
  identity: Identity,
  entries: readonly Entry[],
  { entryController }: Scenario,
  life: Lifetime,
  /** Works when the experiment's own has ended. */
  afterwards: Kube,
): Promise<InstalledEntry | undefined> {
  const wanted = entries.filter(needsController);
  const named = run.entering?.ingressClass ?? run.entering?.gatewayClass;
  // A class that is asked for stands before the one that a scenario would install.
  const install =
    run.entering?.install !== undefined || (entryController !== undefined && named === undefined);
  if (wanted.length === 0 || !install) return undefined;
  if (run.cluster.info.kind === 'context')
    throw new FaultError(
      `Entry ${wanted[0]?.name}: a controller is installed on clusters of ours alone; this one is ${run.cluster.info.kind}.`,
    );
  const gateway = wanted.some(({ kind }) => kind === 'gateway');
  if (gateway) await requireGatewayApi(run.kube);
  const { replicas = 2, args = [], patch = {} } = entryController ?? {};
  const manifests = [
    ...(gateway ? [gatewayClassOf(identity)] : []),
    ...traefikManifests(identity, { replicas, args, patch, gateway }),
  ];
  const clusterWide = manifests.filter(({ metadata }) => metadata.namespace === undefined);
  life.defer('remove the rights and classes of the installed controller', (limit) =>
    removeOwn(afterwards.during(limit), clusterWide),
  );
  const created = await createObjects(run.kube, manifests);
  return { replicas, service: created.find(({ kind }) => kind === 'Service') };
}

/** Opens every entry; the target's Service exists and its pods are ready. */
export async function openEntries(
  run: Pick<RunContext, 'cluster' | 'entering'> & { readonly kube: Kube },
  entries: readonly Entry[],
  {
    identity,
    target,
    installed,
    addressOf,
  }: {
    readonly identity: Identity;
    readonly target: TargetDefinition;
    readonly installed: InstalledEntry | undefined;
    /** host:port of the target by path. */
    readonly addressOf: (path: 'cluster-ip' | 'node-port') => Promise<string>;
  },
): Promise<OpenEntry[]> {
  const open: OpenEntry[] = [];
  for (const entry of entries) {
    const stands = standingOf(entry);
    const at = (address: string, more: Partial<MeasuredEntry> = {}): OpenEntry => ({
      measured: { ...entry, address, ...more },
      base: address.includes('://') ? address : `http://${address}`,
      host: more.host,
      stands,
    });
    switch (entry.kind) {
      case 'service':
        open.push(at(await addressOf('cluster-ip')));
        break;
      case 'node-port':
      case 'outside':
        open.push(at(await addressOf('node-port')));
        break;
      case 'url':
        open.push(at(entry.url ?? ''));
        break;
      case 'ingress':
      case 'gateway': {
        const led = await lead(run, entry, identity, target, installed);
        open.push(at(led.address, led));
        break;
      }
      default:
        throw new Error(`no case for an entry of kind ${String(entry.kind satisfies never)}`);
    }
  }
  return open;
}

/** Creates what leads from the controller to the target. */
async function lead(
  run: Pick<RunContext, 'cluster' | 'entering'> & { readonly kube: Kube },
  entry: Entry,
  identity: Identity,
  target: TargetDefinition,
  installed: InstalledEntry | undefined,
): Promise<Partial<MeasuredEntry> & { readonly address: string }> {
  const { kube } = run;
  const { namespace } = identity;
  const ingress = entry.kind === 'ingress';
  const asked = ingress ? run.entering?.ingressClass : run.entering?.gatewayClass;
  if (installed) {
    const route = { service: target.service, class: className(identity), host: undefined };
    const theirs = ingress && ingressTo(target.entries ?? [], target.service.name);
    const objects = !ingress
      ? gatewayObjects(identity, route, webPort)
      : theirs
        ? [withClass(theirs.manifest, identity, route.class)]
        : [ingressOf(identity, route)];
    await createObjects(kube, objects);
    return {
      address: `${clusterIpOf(installed.service)}:80`,
      class: route.class,
      controller: ingress ? ingressController : gatewayController,
      service: `${namespace}/${entryName}`,
      accessLog: 'traefik-json',
      ...(theirs && theirs.host !== undefined && { host: theirs.host }),
    };
  }
  const found = await findController(kube, ingress ? 'ingress' : 'gateway', asked);
  // Beside routes of others: one of our own name, that nobody else asks for.
  const host = `${identity.experiment
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .slice(0, 40)}-${identity.runId}.rollproof.test`;
  const route = { service: target.service, class: found.class, host };
  await createObjects(kube, ingress ? [ingressOf(identity, route)] : gatewayObjects(identity, route, 80));
  return {
    address: found.address,
    host,
    class: found.class,
    controller: found.controller,
    ...(found.service && { service: found.service }),
  };
}

const withClass = (manifest: Manifest, { namespace }: Identity, name: string): Manifest => ({
  ...manifest,
  metadata: { name: manifest.metadata.name, namespace, annotations: manifest.metadata.annotations ?? {} },
  spec: { ...(manifest.spec as object), ingressClassName: name },
});

async function requireGatewayApi(kube: Kube): Promise<void> {
  if (await hasGatewayApi(kube)) return;
  throw new FaultError(
    'Entry gateway: the cluster does not know the Gateway API. Name the file of its standard CRDs (--gateway-api standard-install.yaml, of kubernetes-sigs/gateway-api).',
  );
}
