// Access reviews: whoever has a token of the emulated cluster may do everything.
import { admin, ownAudience, type User } from '../auth/access.ts';
import { methodNotAllowed } from '../errors.ts';
import { isObject, timestamp } from '../objects.ts';
import { readObject } from './body.ts';
import type { Exchange } from './context.ts';
import { sendApiObject } from './responses.ts';

export async function handleReview(exchange: Exchange): Promise<void> {
  const { req, res, served, context } = exchange;
  if (req.method !== 'POST') throw methodNotAllowed();
  const { object } = await readObject(exchange, served);
  const metadata = { creationTimestamp: timestamp(context.registry.now()) };
  sendApiObject(req, res, 201, { ...object, metadata, status: statusOf(exchange, object.spec) });
}

function statusOf({ served, context, user = admin }: Exchange, spec: unknown): object {
  switch (served.resource) {
    case 'selfsubjectaccessreviews':
    case 'subjectaccessreviews':
    case 'localsubjectaccessreviews':
      return { allowed: true, reason: 'the emulated cluster authorizes everything' };
    case 'selfsubjectrulesreviews':
      return {
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
        nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        incomplete: false,
      };
    case 'tokenreviews': {
      const found = context.access.authenticate(isObject(spec) ? String(spec.token ?? '') : '');
      if (!found) return { user: {}, error: '[invalid bearer token, token lookup failed]' };
      return { authenticated: true, user: shown(found), audiences: [ownAudience] };
    }
    default:
      return { userInfo: shown(user) };
  }
}

function shown({ username, uid, groups, extra }: User): object {
  return { username, ...(uid ? { uid } : {}), groups, ...(extra ? { extra } : {}) };
}
