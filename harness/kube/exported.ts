// A chosen kubeconfig as text. client-node reads a token's file once and exports what stood in it: here the file is named
// again, so that it is read again while a run lasts.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';

interface Written {
  readonly users?:
    | readonly { readonly name: string; readonly user?: { readonly tokenFile?: string } }[]
    | null;
}

/** `file`: what `config` was read from; undefined: what kubectl reads by itself. */
export function exportedConfig(config: KubeConfig, file: string | undefined): string {
  const text = config.exportConfig();
  const name = config.getCurrentUser()?.name;
  const tokenFile = filesRead(file)
    .map((one) => tokenFileIn(one, name))
    .find((found) => found !== undefined);
  if (tokenFile === undefined) return text;
  const written = parse(text) as { users?: { name: string; user?: Record<string, unknown> }[] };
  const users = (written.users ?? []).map((one) => {
    const { token: _, ...user } = one.user ?? {};
    return one.name === name ? { ...one, user: { ...user, tokenFile } } : one;
  });
  return JSON.stringify({ ...written, users });
}

/** client-node makes up a server (http://localhost:8080) where there is no kubeconfig and it runs in no pod. */
export const isMadeUp = (config: KubeConfig): boolean =>
  config.getCurrentContext() === 'loaded-context' &&
  config.getCurrentCluster()?.server === 'http://localhost:8080';

export const noKubeconfig =
  'there is no kubeconfig (KUBECONFIG, else ~/.kube/config); name one with --kubeconfig.';

/** A sentence about a server that no request can go to; undefined: it is an address. */
export const serverProblem = ({ name, server }: { readonly name: string; readonly server: string }) =>
  /^https?:\/\//.test(server) && URL.canParse(server)
    ? undefined
    : `the server of cluster "${name}" must be a URL with https:// or http://, not "${server}".`;

/** Why client-node cannot read a kubeconfig; of an empty one it tells its own mishap. */
export const unreadable = (error: Error): string =>
  error instanceof TypeError
    ? 'it is empty, or no kubeconfig'
    : error.message.split('\n', 1)[0]!.replace(/[.:]$/, '');

function filesRead(file: string | undefined): string[] {
  if (file !== undefined) return [file];
  const { KUBECONFIG } = process.env;
  return KUBECONFIG ? KUBECONFIG.split(delimiter) : [join(homedir(), '.kube', 'config')];
}

/** Relative to the kubeconfig, as kubectl takes it. */
function tokenFileIn(file: string, name: string | undefined): string | undefined {
  if (!existsSync(file)) return undefined;
  const found = (parse(readFileSync(file, 'utf8')) as Written | null)?.users?.find(
    (one) => one.name === name,
  );
  const tokenFile = found?.user?.tokenFile;
  return tokenFile === undefined ? undefined : resolve(dirname(file), tokenFile);
}
