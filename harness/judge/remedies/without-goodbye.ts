// Pods that end without hook and signal: deleted by force, or by a process that ended of itself.
import type { Remedy } from '../../model/results.ts';
import { at, counted } from '../../words/figures.ts';
import { deletions, type PodEnds } from './ending.ts';

export function deletedByForce({ going }: PodEnds): Remedy | undefined {
  if (going.length === 0 || !going.every(({ graceMs }) => graceMs === 0)) return undefined;
  return {
    id: 'deleted-by-force',
    explains: ['routed-after-stop', 'killed-in-flight', 'kept-connection-cut'],
    found: `${counted(going.length, 'pod')} ${going.length === 1 ? 'was' : 'were'} deleted with a grace period of 0 (by force), in which no preStop hook is waited for and no app ends in order`,
    todo: 'Delete or evict pods with their grace period. No setting of ours helps.',
    facts: deletions({ going }),
  };
}

export function endedUndeleted({ facts, going }: PodEnds): Remedy | undefined {
  if (going.length > 0) return undefined;
  const ended = [...facts.pods.values()].flatMap((pod) => pod.endings.map((ending) => ({ pod, ending })));
  const [first] = ended;
  if (!first) return undefined;
  const codes = [...new Set(ended.map(({ ending }) => ending.exitCode ?? '?'))].join(', ');
  return {
    id: 'ended-undeleted',
    explains: ['routed-after-stop', 'killed-in-flight', 'kept-connection-cut'],
    found: `container ${first.ending.container} ended of itself in ${counted(new Set(ended.map(({ pod }) => pod)).size, 'pod')} that nobody deleted (exit code ${codes}), so that no preStop hook ran`,
    todo: 'See why it ended: its last log, exit code and reason. No sleep and no grace period changes that; more replicas make it matter less.',
    facts: ended.slice(0, 4).map(({ pod, ending: { container, exitCode, atMs, line } }) => ({
      text: `container ${container} of pod ${pod.name} ended with exit code ${exitCode ?? '?'} at ${at(atMs)}`,
      tMs: atMs,
      line,
      pod: pod.name,
    })),
  };
}
