// A kubeconfig's `exec`: a program of the user's cloud that logs in and prints a token or a certificate.
// Source: k8s.io/client-go/plugin/pkg/client/auth/exec, client.authentication.k8s.io/v1.
import type { Cluster } from '@kubernetes/client-node';
import { z } from 'zod';
import { CommandError, commandLine, runCommand } from '../exec/command.ts';
import { FaultError } from '../model/errors.ts';

export interface LoginPlugin {
  readonly apiVersion?: string;
  readonly command: string;
  readonly args?: readonly string[] | null;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
  readonly installHint?: string;
  readonly provideClusterInfo?: boolean;
}

interface Login {
  readonly token: string | undefined;
  /** PEM. */
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  /** Wall clock, ms; undefined: it holds until it is refused. */
  readonly expiresAtMs: number | undefined;
}

/** A login may ask another server; who has to type something into it should do so before. */
const LIMIT_MS = 60_000;

const answerSchema = z.object({
  status: z.object({
    token: z.string().optional(),
    clientCertificateData: z.string().optional(),
    clientKeyData: z.string().optional(),
    expirationTimestamp: z.string().optional(),
  }),
});

/** Throws FaultError with the command and what it said on standard error, never with what it printed. */
export async function runLoginPlugin(plugin: LoginPlugin, cluster: Cluster | undefined): Promise<Login> {
  const args = plugin.args ?? [];
  const line = commandLine(plugin.command, args);
  const failed = (why: string, cause: unknown, remedy = 'Log in again (run it by hand), then start again.') =>
    new FaultError(
      `kubeconfig: the login plugin "${line}" ${why}. ${remedy}${plugin.installHint ? `\n${plugin.installHint.trim()}` : ''}`,
      { cause },
    );
  let printed: string;
  try {
    const env = Object.fromEntries((plugin.env ?? []).map(({ name, value }) => [name, value]));
    const info = JSON.stringify(askedFor(plugin, cluster));
    ({ stdout: printed } = await runCommand(plugin.command, args, {
      limitMs: LIMIT_MS,
      secret: true,
      env: { ...env, KUBERNETES_EXEC_INFO: info },
    }));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw failed(
      error.inWords,
      error,
      error.end === 'not-found' ? 'Install it, then start again.' : undefined,
    );
  }
  const answer = answerSchema.safeParse(parsed(printed));
  const status = answer.data?.status;
  if (!status?.token && !status?.clientCertificateData) {
    throw failed('printed neither a token nor a certificate', answer.error);
  }
  const expiresAtMs = Date.parse(status.expirationTimestamp ?? '');
  return {
    token: status.token,
    certificate: status.clientCertificateData,
    key: status.clientKeyData,
    expiresAtMs: Number.isNaN(expiresAtMs) ? undefined : expiresAtMs,
  };
}

function askedFor(plugin: LoginPlugin, cluster: Cluster | undefined): unknown {
  const spec = {
    interactive: false,
    ...(plugin.provideClusterInfo &&
      cluster && {
        cluster: {
          server: cluster.server,
          ...(cluster.tlsServerName && { 'tls-server-name': cluster.tlsServerName }),
          ...(cluster.skipTLSVerify && { 'insecure-skip-tls-verify': true }),
          ...(cluster.caData && { 'certificate-authority-data': cluster.caData }),
          ...(cluster.proxyUrl && { 'proxy-url': cluster.proxyUrl }),
        },
      }),
  };
  return {
    apiVersion: plugin.apiVersion ?? 'client.authentication.k8s.io/v1beta1',
    kind: 'ExecCredential',
    spec,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
