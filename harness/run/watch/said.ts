// What a watch says to whoever waits: what it will send, how far it is, what a change has cost.
import { stringify } from 'yaml';
import type { Manifest } from '../../model/manifest.ts';
import { redactValue } from '../../record/redact.ts';
import { count } from '../../words/figures.ts';
import type { EndedEpisode } from './episodes.ts';
import type { Asking } from './plan.ts';
import type { WatchedService } from './services.ts';

interface Asked {
  readonly asking: Asking;
  readonly namespace: string;
  readonly agentNamespace: string;
}

export function endedText({ service, lost, unsettled }: EndedEpisode): string {
  const how = unsettled.length > 0 ? `had not settled (${unsettled[0]})` : 'has settled';
  return `${service}: the change ${how}; lost ${lost === 0 ? 'nothing' : count(lost)}.`;
}

export function progressText(
  doing: string,
  loadMs: number | undefined,
  lost: Readonly<Record<string, number>> | undefined,
) {
  if (loadMs === undefined || !lost) return doing;
  const parts = Object.entries(lost).flatMap(([line, n]) => (n > 0 ? [`${line} ${n}`] : []));
  return `${doing}: ${(loadMs / 1000).toFixed(0)} s, lost ${parts.join(', ') || 'nothing'}`;
}

/** What will be sent, before the first request. */
export function announcement(
  { asking, agentNamespace, namespace }: Asked,
  services: readonly WatchedService[],
) {
  const headers = Object.keys(asking.headers);
  return services.map(
    ({ name, port, path, url, owners }) =>
      `Will send ${asking.rate} requests per second and lane (${asking.lanes.join(', ')}) to Service ${namespace}/${name}:${port}: ${asking.method} ${path}${url === undefined ? '' : `, and as many to ${redactValue(url)}`}${headers.length > 0 ? `, headers ${headers.join(', ')}` : ''}, from a pod in namespace ${agentNamespace}. Behind it: ${[...owners, 'pods'].join(' → ')}.`,
  );
}

export function dryRunText(
  asked: Asked,
  services: readonly WatchedService[],
  objects: readonly Manifest[],
): string {
  return [
    ...announcement(asked, services).map((line) => `# ${line}\n`),
    `# Everything carries an ownerReference to the Job, and goes with it at the latest. Nothing was created.\n`,
    objects.map((manifest) => stringify(manifest, { lineWidth: 0 })).join('---\n'),
  ].join('');
}
