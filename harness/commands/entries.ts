// The flags --entry and --path, over what the configuration says: which entries are measured, in which experiments.

import { entriesOf, entryUrlProblem } from '../config/entries.ts';
import type { Configuration } from '../config/load.ts';
import { paths } from '../config/schema.ts';
import { type Entry, type EntryKind, namedEntryKinds } from '../model/entry.ts';
import { UsageError } from '../model/errors.ts';
import type { ExperimentKey } from '../run/experiment/index.ts';

interface ChosenEntries {
  /** One experiment for each. */
  readonly paths: readonly ExperimentKey['path'][];
  /** Side by side in each of them; empty: the path alone. */
  readonly entries: readonly Entry[];
}

const pathOf: Partial<Record<EntryKind, ExperimentKey['path']>> = {
  service: 'cluster-ip',
  'node-port': 'node-port',
  outside: 'outside',
};

/** Throws UsageError for an unknown entry, and for one that the cluster asked for does not have. */
export function chosenEntries(
  asked: { readonly entry: readonly string[]; readonly path: readonly string[] },
  configuration: Configuration,
): ChosenEntries {
  if (asked.entry.length > 0 && asked.path.length > 0)
    throw new UsageError('--path is an older name of --entry: give one of them.');
  const { load } = configuration;
  if (load.path && load.entry)
    throw new UsageError(
      'configuration: load.path cannot stand beside load.entry, whose older name it is; keep load.entry.',
    );
  const named = asked.entry.length > 0 ? entriesOf(asked.entry.map(entryNamed)) : undefined;
  const chosen =
    named || asked.path.length > 0
      ? { entries: named ?? [], paths: asked.path.map(pathNamed) }
      : { entries: load.entry ?? [], paths: load.path ?? [] };
  const [only] = chosen.entries;
  const alone = chosen.entries.length === 1 && only ? pathOf[only.kind] : undefined;
  const result: ChosenEntries = alone
    ? { paths: [alone], entries: [] }
    : { paths: chosen.paths.length > 0 ? chosen.paths : ['cluster-ip'], entries: chosen.entries };
  refuseMissing(result, configuration);
  return result;
}

function pathNamed(name: string): ExperimentKey['path'] {
  const found = paths.find((path) => path === name);
  if (!found) throw new UsageError(`--path "${name}" is not known. There are ${paths.join(', ')}.`);
  return found;
}

/** `https://…`: from a load agent in the cluster; `here:https://…`: from this machine. */
function entryNamed(text: string): Parameters<typeof entriesOf>[0][number] {
  const [, here, url] = /^(here:)?(\w+:\/\/.*)$/.exec(text) ?? [];
  if (url !== undefined) {
    const problem = entryUrlProblem(url);
    if (problem) throw new UsageError(`--entry ${url.replace(/\/\/[^/]*@/, '//…@')} ${problem}.`);
    return { url, from: here ? 'here' : 'agent' };
  }
  const found = namedEntryKinds.find((kind) => kind === text);
  if (found) return found;
  throw new UsageError(
    `--entry "${text}" is not known. There are ${namedEntryKinds.join(', ')}, a URL (from a load agent in the cluster) and here:URL (from this machine).`,
  );
}

function refuseMissing({ paths, entries }: ChosenEntries, { cluster }: Configuration): void {
  const outside = paths.includes('outside') || entries.some(({ kind }) => kind === 'outside');
  if (outside && (cluster.kind === 'embedded' || cluster.kind === 'context')) {
    throw new UsageError(
      `--path outside: cluster ${cluster.kind} has no outside that rollproof can reach; use --cluster kind.`,
    );
  }
  const proxied = entries.find(({ kind }) => kind === 'ingress' || kind === 'gateway');
  if (proxied?.kind === 'gateway' && cluster.kind === 'embedded') {
    throw new UsageError(
      '--entry gateway: the embedded cluster does not know the Gateway API; use --cluster kind --install-ingress traefik.',
    );
  }
  if (proxied && cluster.kind === 'embedded' && cluster.installIngress === undefined) {
    throw new UsageError(
      `--entry ${proxied.kind}: the embedded cluster has no controller that would serve it; add --install-ingress traefik, which takes the traefik on the PATH, or use --cluster kind.`,
    );
  }
  if (cluster.installIngress !== undefined) {
    if (cluster.kind === 'context')
      throw new UsageError(
        `--install-ingress ${cluster.installIngress}: a controller is installed on clusters of ours alone; use --cluster kind, or leave it out and name a class of cluster ${cluster.kind}.`,
      );
  }
}
