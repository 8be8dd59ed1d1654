// Discovery: /api, /apis and below, in the aggregated and the legacy form.
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { noSuchPath } from '../errors.ts';
import { type Served, served, servedGroups } from '../served.ts';
import { wantsAggregatedDiscovery } from './negotiation.ts';
import { sendJson } from './responses.ts';

/** Answers when the path is one of discovery; false otherwise. */
export function sendDiscovery(req: IncomingMessage, res: ServerResponse, pathname: string): boolean {
  const [root, group, version, ...rest] = pathname.split('/').filter(Boolean);
  if (root === 'api' && version === undefined) {
    if (group === undefined) sendRoot(req, res, ['']);
    else sendWithTag(req, res, resourceList('', group));
    return true;
  }
  if (root === 'apis' && group !== undefined && versionsOf(group).length === 0) return false;
  if (root === 'apis' && rest.length === 0) {
    if (group === undefined)
      sendRoot(
        req,
        res,
        servedGroups()
          .map((each) => each.group)
          .filter(Boolean),
      );
    else if (version === undefined)
      sendWithTag(req, res, { ...apiGroup(group), kind: 'APIGroup', apiVersion: 'v1' });
    else sendWithTag(req, res, resourceList(group, version));
    return true;
  }
  return false;
}

function sendRoot(req: IncomingMessage, res: ServerResponse, groups: string[]): void {
  const aggregated = wantsAggregatedDiscovery(req);
  if (aggregated) {
    const type = `application/json;g=apidiscovery.k8s.io;v=${aggregated};as=APIGroupDiscoveryList`;
    sendWithTag(req, res, aggregatedDiscovery(groups, aggregated), type);
  } else if (groups[0] === '') {
    const address = `${req.socket.localAddress}:${req.socket.localPort}`;
    sendWithTag(req, res, {
      kind: 'APIVersions',
      versions: ['v1'],
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
    });
  } else {
    sendWithTag(req, res, { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(apiGroup) });
  }
}

function sendWithTag(
  req: IncomingMessage,
  res: ServerResponse,
  body: unknown,
  type = 'application/json',
): void {
  const hash = createHash('sha512').update(JSON.stringify(body)).digest('hex').toUpperCase();
  const etag = `"${hash}"`;
  if (req.headers['if-none-match'] === etag) {
    res.writeHead(304, { etag });
    res.end();
    return;
  }
  sendJson(res, 200, body, { 'content-type': type, etag, vary: 'Accept', 'cache-control': 'public' });
}

function aggregatedDiscovery(groups: readonly string[], version: 'v2' | 'v2beta1') {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versionsOf(group).map((each) => ({
        version: each,
        freshness: 'Current',
        resources: resourcesOf(group, each).map(aggregatedResource),
      })),
    })),
  };
}

function aggregatedResource(resource: Served) {
  const { group, version, kind } = resource;
  return {
    resource: resource.resource,
    responseKind: { group, version, kind },
    scope: resource.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
    ...(resource.inAll ? { categories: ['all'] } : {}),
    ...(resource.subresources.length > 0
      ? {
          subresources: resource.subresources.map((sub) => ({
            subresource: sub.name,
            responseKind: { group: sub.group, version: sub.version, kind: sub.kind },
            verbs: sub.verbs,
          })),
        }
      : {}),
  };
}

function resourceList(group: string, version: string) {
  const resources = resourcesOf(group, version);
  if (resources.length === 0) throw noSuchPath();
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group ? `${group}/${version}` : version,
    resources: resources.flatMap((resource) => [
      {
        name: resource.resource,
        singularName: resource.singular,
        namespaced: resource.namespaced,
        kind: resource.kind,
        verbs: resource.verbs,
        ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
        ...(resource.inAll ? { categories: ['all'] } : {}),
      },
      ...resource.subresources.map((sub) => ({
        name: `${resource.resource}/${sub.name}`,
        singularName: '',
        namespaced: resource.namespaced,
        ...(sub.group === resource.group && sub.version === resource.version
          ? {}
          : { group: sub.group, version: sub.version }),
        kind: sub.kind,
        verbs: sub.verbs,
      })),
    ]),
  };
}

function apiGroup(group: string) {
  const versions = versionsOf(group).map((version) => ({ groupVersion: `${group}/${version}`, version }));
  if (group === '' || versions.length === 0) throw noSuchPath();
  return { name: group, versions, preferredVersion: versions[0] };
}

function versionsOf(group: string): string[] {
  return servedGroups().find((each) => each.group === group)?.versions ?? [];
}

function resourcesOf(group: string, version: string): Served[] {
  return served.filter((resource) => resource.group === group && resource.version === version);
}
