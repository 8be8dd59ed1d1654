// A kubeconfig that was chosen, and as text. client-node reads a token's file once and exports what stood in it: here the file
// is named again, so that it is read again while a run lasts.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { readNamedText, UnreadableError } from '../model/named-file.ts';

interface Written {
  readonly users?:
    | readonly { readonly name: string; readonly user?: { readonly tokenFile?: string } }[]
    | null;
}

/** A file of a kubeconfig, as it was read: one that is a pipe (`<(kind get kubeconfig)`) can be read once. */
export interface KubeconfigText {
  readonly file: string;
  readonly text: string;
}

/** Reads `file` into `config`; undefined: what kubectl reads by itself. Throws an error that `unreadable` puts in words. */
export function readKubeconfig(config: KubeConfig, file: string | undefined): readonly KubeconfigText[] {
  const named = file === undefined ? (process.env.KUBECONFIG?.split(delimiter) ?? []) : [file];
  const listed = named.filter((one) => one !== '');
  // Of several that KUBECONFIG names those that are not there are passed over, as kubectl does it.
  const there = listed.filter((one) => existsSync(one));
  const files = file === undefined && there.length > 0 ? there : listed;
  if (files.length === 0) {
    config.loadFromDefault();
    const usual = join(homedir(), '.kube', 'config');
    return existsSync(usual) ? [{ file: usual, text: readNamedText(usual) }] : [];
  }
  return files.map((one, index) => {
    const text = file === undefined ? readListed(one) : readNamedText(one);
    const part = index === 0 ? config : new KubeConfig();
    part.loadFromString(text);
    part.makePathsAbsolute(dirname(one));
    // The first that names a current context decides, as for kubectl.
    if (part !== config) config.mergeConfig(part, Boolean(config.getCurrentContext()));
    return { file: one, text };
  });
}

/** A file that KUBECONFIG names. */
function readListed(file: string): string {
  try {
    return readNamedText(file);
  } catch (error) {
    throw new UnreadableError(`${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** `read`: what `config` was read from. */
export function exportedConfig(config: KubeConfig, read: readonly KubeconfigText[]): string {
  const text = config.exportConfig();
  const name = config.getCurrentUser()?.name;
  const tokenFile = read.map((one) => tokenFileIn(one, name)).find((found) => found !== undefined);
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

/** Why a kubeconfig cannot be read; of an empty one client-node tells its own mishap. */
export const unreadable = (error: Error): string =>
  error instanceof TypeError
    ? 'it is empty, or no kubeconfig'
    : error instanceof UnreadableError
      ? error.message.replace(/^cannot be read \((.*)\)$/, '$1')
      : error.message.split('\n', 1)[0]!.replace(/[.:]$/, '');

/** Relative to the kubeconfig, as kubectl takes it. */
function tokenFileIn({ file, text }: KubeconfigText, name: string | undefined): string | undefined {
  const found = (parse(text) as Written | null)?.users?.find((one) => one.name === name);
  const tokenFile = found?.user?.tokenFile;
  return tokenFile === undefined ? undefined : resolve(dirname(file), tokenFile);
}
