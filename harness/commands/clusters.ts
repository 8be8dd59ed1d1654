// Which cluster a run uses, and why: kind where it can serve, else the embedded one; or what was asked for.

import { kindProvider } from '../cluster/kind/provider.ts';
import type { ClusterProvider } from '../cluster/provider.ts';
import type { Configuration } from '../config/load.ts';
import { FaultError } from '../model/errors.ts';
import type { OwnImages } from './images.ts';

export type ClusterChoice = 'auto' | 'kind' | 'embedded' | 'context';

export interface ChosenCluster {
  readonly provider: (own: OwnImages) => ClusterProvider;
  /** One sentence for the first line: which cluster and why. */
  readonly why: string;
}

/** Throws FaultError when the cluster that was asked for cannot serve here. No side effect. */
export async function chooseCluster(
  configuration: Configuration,
  _proxyDelayMs: number | undefined,
): Promise<ChosenCluster> {
  const { cluster } = configuration;
  const choice = cluster.kind ?? 'auto';
  const kind = kindProvider({ nodeImage: cluster.nodeImage, oneNode: cluster.oneNode, keep: cluster.keep });
  if (choice === 'kind' || choice === 'auto') {
    const problem = await kind.unavailable();
    if (problem) throw new FaultError(problem);
    return { provider: () => kind, why: 'Cluster: kind.' };
  }
  throw new FaultError(`cluster ${choice}: not here.`);
}
