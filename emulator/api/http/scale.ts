// The scale subresource of workloads: autoscaling/v1 Scale.
import { badRequest, conflict, invalid, methodNotAllowed, notFound } from '../errors.ts';
import { asSelector, formatLabelSelector, type LabelSelector } from '../label-selector.ts';
import { cloneObject, isObject, type KubeObject } from '../objects.ts';
import type { ResourceDefinition } from '../resources.ts';
import { toTable } from '../tables/table.ts';
import { warningsFor } from '../warnings.ts';
import { readObject } from './body.ts';
import { type Exchange, managerOf } from './context.ts';
import { checkPlace } from './create.ts';
import { includeObject } from './list.ts';
import { wantedRepresentation } from './negotiation.ts';
import { patched } from './patch.ts';
import { isDryRun, readBody } from './request.ts';
import { sendApiObject, warningHeader } from './responses.ts';

const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };

export async function handleScale(exchange: Exchange, stored: ResourceDefinition): Promise<void> {
  const { req, res, context, namespace, name = '', query } = exchange;
  const { storage, writes } = context.registry;
  const found = () => {
    const object = storage.get(stored, namespace, name);
    if (!object) throw notFound(stored, name);
    return object;
  };
  if (req.method === 'GET') {
    sendScale(exchange, scaleOf(found()), []);
    return;
  }
  if (req.method !== 'PUT' && req.method !== 'PATCH') throw methodNotAllowed();
  const { object: wanted, warnings } =
    req.method === 'PUT'
      ? await readObject(exchange, scaleKind, 'application/json')
      : patched(exchange, scaleOf(found()), scaleKind, await readBody(req));
  // Read again: the body took its time.
  const target = found();
  const { resourceVersion, uid } = wanted.metadata;
  if (!wanted.metadata.name) {
    throw badRequest(
      `the name of the object (${name} based on URL) was undeterminable: name must be provided`,
    );
  }
  checkPlace(exchange, wanted);
  if (resourceVersion && resourceVersion !== target.metadata.resourceVersion) throw conflict(stored, name);
  if (uid && uid !== target.metadata.uid) {
    throw conflict(
      stored,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${target.metadata.uid}`,
    );
  }
  const replicas = isObject(wanted.spec) ? Number(wanted.spec.replicas ?? 0) : 0;
  if (!Number.isInteger(replicas) || replicas < 0) {
    throw invalid(scaleKind, name, [
      {
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${replicas}: must be greater than or equal to 0`,
        field: 'spec.replicas',
      },
    ]);
  }
  const changed = cloneObject(target);
  changed.spec = { ...(isObject(changed.spec) ? changed.spec : {}), replicas };
  const updated = writes.update(stored, changed, {
    dryRun: isDryRun(query, 'UpdateOptions'),
    manager: managerOf(exchange),
  });
  const headers = warningHeader([...warnings, ...warningsFor(updated, target)]);
  sendApiObject(req, res, 200, scaleOf(updated), headers);
}

function sendScale({ req, res, query, context }: Exchange, scale: KubeObject, warnings: string[]): void {
  if (wantedRepresentation(req) !== 'table') {
    sendApiObject(req, res, 200, scale, warningHeader(warnings));
    return;
  }
  const { resourceVersion } = scale.metadata;
  const options = { nowMs: context.registry.now(), includeObject: includeObject(query), withColumns: true };
  sendApiObject(req, res, 200, toTable('scale', [scale], { resourceVersion }, options));
}

function scaleOf({ metadata, spec, status }: KubeObject): KubeObject {
  const { replicas = 0, selector } = spec as { replicas?: number; selector?: LabelSelector };
  const selectorText = formatLabelSelector(asSelector(selector));
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name: metadata.name,
      namespace: metadata.namespace,
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
      creationTimestamp: metadata.creationTimestamp,
    },
    // Zero is left out, as everywhere with omitempty.
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: isObject(status) && typeof status.replicas === 'number' ? status.replicas : 0,
      ...(selectorText === '<none>' ? {} : { selector: selectorText }),
    },
  };
}
