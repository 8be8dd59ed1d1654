// Who may use the API server: its administrator, by the token in the kubeconfig, and service accounts, by tokens that
// it issued (JSON Web Tokens, RFC 7519, signed with a secret that never leaves the process).
import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { isObject, timestamp } from '../objects.ts';
import type { Registry } from '../types.ts';

export interface User {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface TokenClaims {
  readonly namespace: string;
  /** Of the ServiceAccount. */
  readonly name: string;
  readonly uid: string;
  /** Default: the API server itself. */
  readonly audiences?: readonly string[];
  /** Default: an hour. */
  readonly expirationSeconds?: number;
  /** The pod that it was issued for: the token ends with it. */
  readonly pod?: { readonly name: string; readonly uid: string };
}

export interface IssuedToken {
  readonly token: string;
  /** RFC 3339. */
  readonly expirationTimestamp: string;
}

export interface Access {
  /** Of the cluster's administrator. */
  readonly adminToken: string;
  issue(claims: TokenClaims): IssuedToken;
  /** Undefined: nobody whom this cluster knows. */
  authenticate(token: string): User | undefined;
}

/** As kubeadm names it. */
export const ownAudience = 'https://kubernetes.default.svc.cluster.local';
const defaultExpirationSeconds = 3600;

export const admin: User = {
  username: 'kubernetes-admin',
  groups: ['kubeadm:cluster-admins', 'system:authenticated'],
};

/** @param registry Where service accounts and pods are looked up: a token ends with its account. */
export function createAccess(registry: Pick<Registry, 'get'>, now: () => number = Date.now): Access {
  const adminToken = randomBytes(32).toString('base64url');
  const secret = randomBytes(32);
  const sign = (text: string) => createHmac('sha256', secret).update(text).digest('base64url');
  return {
    adminToken,
    issue({ namespace, name, uid, audiences, expirationSeconds = defaultExpirationSeconds, pod }) {
      const nowSeconds = Math.floor(now() / 1000);
      const expires = nowSeconds + expirationSeconds;
      const payload = {
        aud: audiences?.length ? audiences : [ownAudience],
        exp: expires,
        iat: nowSeconds,
        iss: ownAudience,
        jti: randomUUID(),
        'kubernetes.io': { namespace, serviceaccount: { name, uid }, ...(pod ? { pod } : {}) },
        nbf: nowSeconds,
        sub: `system:serviceaccount:${namespace}:${name}`,
      };
      const unsigned = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded(payload)}`;
      return {
        token: `${unsigned}.${sign(unsigned)}`,
        expirationTimestamp: timestamp(expires * 1000),
      };
    },
    authenticate(token) {
      if (isSame(token, adminToken)) return admin;
      const end = token.lastIndexOf('.');
      if (end < 0 || !isSame(token.slice(end + 1), sign(token.slice(0, end)))) return undefined;
      return userOf(registry, decoded(token.split('.')[1] ?? ''), now());
    },
  };
}

function userOf(registry: Pick<Registry, 'get'>, payload: unknown, nowMs: number): User | undefined {
  if (!isObject(payload) || typeof payload.exp !== 'number' || payload.exp * 1000 <= nowMs) return undefined;
  if (!Array.isArray(payload.aud) || !payload.aud.includes(ownAudience)) return undefined;
  const claims = payload['kubernetes.io'] as {
    namespace: string;
    serviceaccount: { name: string; uid: string };
    pod?: { name: string; uid: string };
  };
  const { namespace, serviceaccount, pod } = claims;
  const account = registry.get('serviceaccounts', namespace, serviceaccount.name);
  if (account?.metadata.uid !== serviceaccount.uid) return undefined;
  if (pod && registry.get('pods', namespace, pod.name)?.metadata.uid !== pod.uid) return undefined;
  return {
    username: `system:serviceaccount:${namespace}:${serviceaccount.name}`,
    uid: serviceaccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    ...(pod
      ? {
          extra: {
            'authentication.kubernetes.io/pod-name': [pod.name],
            'authentication.kubernetes.io/pod-uid': [pod.uid],
          },
        }
      : {}),
  };
}

function isSame(given: string, known: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(known)];
  return left.length === right.length && timingSafeEqual(left, right);
}

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

function decoded(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
}
