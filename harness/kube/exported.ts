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
