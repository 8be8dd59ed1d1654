// POST serviceaccounts/NAME/token: a token for an account, as the kubelet asks for one for its pods.
// Source: registry/core/serviceaccount/storage/token.go.
import { ownAudience } from '../auth/access.ts';
import { invalid, methodNotAllowed, notFound } from '../errors.ts';
import { isObject, timestamp } from '../objects.ts';
import { definitionOf } from '../resources.ts';
import { readObject } from './body.ts';
import type { Exchange } from './context.ts';
import { sendApiObject } from './responses.ts';

const tokenRequest = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' };
/** kube-apiserver: no shorter, no longer. */
const leastSeconds = 600;
const mostSeconds = 2 ** 32;

export async function handleTokenRequest(exchange: Exchange): Promise<void> {
  const { req, res, context, namespace = '', name = '' } = exchange;
  if (req.method !== 'POST') throw methodNotAllowed();
  const { object } = await readObject(exchange, tokenRequest);
  const { registry, access } = context;
  const account = registry.get('serviceaccounts', namespace, name);
  if (!account) throw notFound(definitionOf('serviceaccounts'), name);
  const spec = isObject(object.spec) ? object.spec : {};
  const expirationSeconds = typeof spec.expirationSeconds === 'number' ? spec.expirationSeconds : 3600;
  if (expirationSeconds < leastSeconds || expirationSeconds > mostSeconds) {
    const message =
      expirationSeconds < leastSeconds
        ? `Invalid value: ${expirationSeconds}: may not specify a duration less than 10 minutes`
        : `Invalid value: ${expirationSeconds}: may not specify a duration larger than 2^32 seconds`;
    throw invalid(tokenRequest, '', [
      { reason: 'FieldValueInvalid', message, field: 'spec.expirationSeconds' },
    ]);
  }
  const audiences = Array.isArray(spec.audiences) ? spec.audiences.map(String) : [ownAudience];
  const bound =
    isObject(spec.boundObjectRef) && spec.boundObjectRef.kind === 'Pod' ? spec.boundObjectRef : undefined;
  const podName = bound && String(bound.name);
  const pod = podName === undefined ? undefined : registry.get('pods', namespace, podName);
  if (podName !== undefined && !pod) throw notFound(definitionOf('pods'), podName);
  const status = access.issue({
    namespace,
    name,
    uid: account.metadata.uid,
    audiences,
    expirationSeconds,
    ...(pod ? { pod: { name: pod.metadata.name, uid: pod.metadata.uid } } : {}),
  });
  sendApiObject(req, res, 201, {
    ...object,
    metadata: { name, namespace, creationTimestamp: timestamp(registry.now()) },
    spec: { ...spec, audiences, expirationSeconds },
    status,
  });
}
