// Access reviews: the emulated cluster has one user who may do everything.
import { methodNotAllowed } from '../errors.ts';
import { timestamp } from '../objects.ts';
import { readObject } from './body.ts';
import type { Exchange } from './context.ts';
import { sendApiObject } from './responses.ts';

export async function handleReview(exchange: Exchange): Promise<void> {
  const { req, res, served, context } = exchange;
  if (req.method !== 'POST') throw methodNotAllowed();
  const { object } = await readObject(exchange, served);
  const metadata = { creationTimestamp: timestamp(context.registry.now()) };
  sendApiObject(req, res, 201, { ...object, metadata, status: statusOf(served.resource) });
}

function statusOf(resource: string): object {
  switch (resource) {
    case 'selfsubjectaccessreviews':
      return { allowed: true, reason: 'the emulated cluster authorizes everything' };
    case 'selfsubjectrulesreviews':
      return {
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
        nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        incomplete: false,
      };
    default:
      return {
        userInfo: { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] },
      };
  }
}
