// Who we are to the API server. What a kubeconfig names is not for ever: tokens of login plugins and of files expire,
// certificates are changed. So it is asked for before each request, kept while it holds, and renewed when refused.
import type https from 'node:https';
import { isDeepStrictEqual } from 'node:util';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { FaultError } from '../model/errors.ts';
import { readNamedText } from '../model/named-file.ts';
import { type LoginPlugin, runLoginPlugin } from './login-plugin.ts';

/** What a request carries. The same object as long as nothing has changed. */
export interface Identity {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: https.AgentOptions;
  /** client-node's own, for a cluster behind a proxy. */
  readonly agent: https.Agent | undefined;
}

interface Credentials {
  current(): Promise<Identity>;
  /** Of an identity that the server did not take (401): asks anew, once for all who were refused with it. */
  renewed(refused: Identity): Promise<Identity>;
}

/** Files may be replaced at any time (client-go reads them again after a minute, too). */
const READ_AGAIN_MS = 60_000;
/** A token is renewed this long before its end, or a tenth of its life before when that is shorter. */
const EARLY_MS = 30_000;

/** `now`: wall clock, ms; plugins tell the end of a token in it. */
export function credentialsOf(kubeconfig: string, now: () => number = Date.now): Credentials {
  const { config, exec, tokenFile } = withoutSecretsOfItsOwn(kubeconfig);
  let identity: { readonly value: Identity; readonly untilMs: number } | undefined;
  let asking: Promise<Identity> | undefined;

  async function ask(): Promise<Identity> {
    const options: https.RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const headers: Record<string, string> = { ...(options.headers as Record<string, string> | undefined) };
    if (options.auth) headers.Authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    if (tokenFile) headers.Authorization = `Bearer ${readTokenFile(tokenFile)}`;
    let tls = tlsOptions(options);
    let untilMs = now() + READ_AGAIN_MS;
    if (exec) {
      const login = await runLoginPlugin(exec, config.getCurrentCluster() ?? undefined);
      if (login.token) headers.Authorization = `Bearer ${login.token}`;
      if (login.certificate) tls = { ...tls, cert: login.certificate, key: login.key };
      untilMs =
        login.expiresAtMs === undefined
          ? Number.POSITIVE_INFINITY
          : login.expiresAtMs - Math.min(EARLY_MS, Math.max(0, login.expiresAtMs - now()) / 10);
    }
    // The same object for the same certificates: connections are kept by it.
    if (identity && isDeepStrictEqual(identity.value.tls, tls)) tls = identity.value.tls;
    const proxied = config.getCurrentCluster()?.proxyUrl !== undefined;
    const next: Identity = { headers, tls, agent: proxied ? (options.agent as https.Agent) : undefined };
    const same =
      identity !== undefined &&
      identity.value.tls === tls &&
      isDeepStrictEqual(identity.value.headers, headers);
    const value = same && identity ? identity.value : next;
    identity = { value, untilMs };
    return value;
  }

  /** One at a time, for all who wait. */
  const asked = (): Promise<Identity> => {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  };

  return {
    async current() {
      return identity && now() < identity.untilMs ? identity.value : asked();
    },
    async renewed(refused) {
      // Somebody else has renewed it while this request was on its way.
      if (identity && identity.value !== refused && now() < identity.untilMs) return identity.value;
      return asked();
    },
  };
}

/** The kubeconfig as client-node reads it, but for the two sources that are read here. */
function withoutSecretsOfItsOwn(kubeconfig: string): {
  readonly config: KubeConfig;
  readonly exec: LoginPlugin | undefined;
  readonly tokenFile: string | undefined;
} {
  const config = new KubeConfig();
  config.loadFromString(kubeconfig);
  // A server without TLS (`kubectl proxy`) has no certificate that could be looked at; client-node wants that said.
  config.clusters = config.clusters.map((one) =>
    one.server.startsWith('http:') ? { ...one, skipTLSVerify: true } : one,
  );
  const user = config.getCurrentUser();
  if (!user) return { config, exec: undefined, tokenFile: undefined };
  const written = parse(kubeconfig) as {
    readonly users?: readonly { readonly name: string; readonly user?: { readonly tokenFile?: string } }[];
  };
  const provider = user.authProvider as { config?: { tokenFile?: string; exec?: LoginPlugin } } | undefined;
  const exec = (user.exec ?? provider?.config?.exec) as LoginPlugin | undefined;
  const tokenFile =
    provider?.config?.tokenFile ?? written.users?.find(({ name }) => name === user.name)?.user?.tokenFile;
  const { exec: _exec, authProvider, ...rest } = user;
  config.users = config.users.map((one) =>
    one === user ? { ...rest, ...(!exec && !tokenFile && { authProvider }) } : one,
  );
  return { config, exec: exec ?? undefined, tokenFile };
}

function readTokenFile(file: string): string {
  try {
    return readNamedText(file).trim();
  } catch (error) {
    throw new FaultError(`kubeconfig: the token in ${file}: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}

const tlsFields = ['ca', 'cert', 'key', 'pfx', 'passphrase', 'rejectUnauthorized', 'servername'] as const;

function tlsOptions(options: https.RequestOptions): https.AgentOptions {
  return Object.fromEntries(
    tlsFields.map((name) => [name, options[name]]).filter(([, value]) => value !== undefined),
  );
}
