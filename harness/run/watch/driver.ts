// The driver of `watch`: somebody else makes the change. It waits until there is an end (a command's, a time's, Ctrl-C, as
// many changes as were asked for, a Service that is gone), and then until what is under way has settled.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kube } from '../../kube/client.ts';
import { saidLast } from '../../kube/said-last.ts';
import { UsageError } from '../../model/errors.ts';
import { counted, duration } from '../../words/figures.ts';
import type { Driver, Scene } from '../experiment/index.ts';
import type { Episodes } from './episodes.ts';
import type { WatchedService } from './services.ts';

export interface WatchEnd {
  /** Resolves with a sentence when the command has ended; undefined: there is none. */
  readonly command?: Promise<string>;
  readonly forMs?: number | undefined;
  readonly rollouts?: number | undefined;
  /** Ctrl-C, once. */
  readonly stopping: AbortSignal;
}

interface WatchDriverOptions {
  readonly namespace: string;
  readonly services: readonly WatchedService[];
  readonly episodes: Episodes;
  readonly until: WatchEnd;
  /** For what is under way when the end has come, ms. */
  readonly limitMs: number;
  /** Called when requests are sent and whoever makes the change may begin. */
  begun(): void;
  /** Why it ended, a sentence; and what is wrong with what was measured. */
  ended(why: string, trouble?: string): void;
}

const LOOK_MS = 200;
/** Controllers need a moment to begin what a command asked for, ms. */
const BEGINS_WITHIN_MS = 5000;
const CLOCKS_EVERY_MS = 60_000;
const SERVICE_EVERY_MS = 5000;
const ANSWER_LIMIT_MS = 3000;

export function watchDriver(options: WatchDriverOptions): Driver {
  const { episodes, until, limitMs } = options;
  let gone: string | undefined;
  /** Nothing is waited for any more. */
  const cut = () => gone !== undefined || until.stopping.aborted;
  return {
    async drive(scene) {
      refuseWhatDoesNotAnswer(options);
      const service = every(SERVICE_EVERY_MS, async () => {
        gone ??= await goneService(options, scene.kube);
      });
      const clocks = every(CLOCKS_EVERY_MS, () => scene.compareClocks());
      options.begun();
      const from = performance.now();
      let commandEnded: string | undefined;
      void until.command?.then((how) => {
        commandEnded = how;
      });
      const why = (): string | undefined => {
        if (gone) return gone;
        if (until.stopping.aborted) return 'It was stopped.';
        if (until.command) return commandEnded;
        if (until.forMs !== undefined && performance.now() - from >= until.forMs)
          return `The time was over (${duration(until.forMs)}).`;
        if (until.rollouts !== undefined && episodes.ended.length >= until.rollouts)
          return until.rollouts === 1 ? 'One change has ended.' : `${until.rollouts} changes have ended.`;
        return undefined;
      };
      let reason = why();
      for (; reason === undefined; reason = why()) {
        scene.say(sayOf(episodes));
        await sleep(LOOK_MS, undefined, { signal: scene.signal });
        await Promise.all([service(), clocks()]);
      }
      options.ended(reason, gone);
      // Its own interrupt lets the command end in order.
      if (until.command && until.stopping.aborted) await until.command;
    },
    async settled(scene) {
      const from = performance.now();
      const service = every(SERVICE_EVERY_MS, async () => {
        gone ??= await goneService(options, scene.kube);
      });
      const begins = until.command ? BEGINS_WITHIN_MS : 0;
      for (;;) {
        const { going } = episodes;
        const passedMs = performance.now() - from;
        if (cut()) {
          if (gone) options.ended(gone, gone);
          return;
        }
        if (going.size === 0 && passedMs >= begins) return;
        if (passedMs >= limitMs) {
          await tellWhatHangs(options, scene);
          return;
        }
        scene.say(going.size > 0 ? sayOf(episodes) : 'waiting whether a change begins');
        await sleep(LOOK_MS, undefined, { signal: scene.signal });
        await service();
      }
    },
  };
}

/** Acts at most so often; what fails is tried again the next time. */
function every(ms: number, act: () => Promise<void>): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < ms) return;
    last = performance.now();
    await act().catch(() => {});
  };
}

function sayOf({ going, ended }: Episodes): string {
  const now = [...going].map(([service, left]) => `${service}: ${left[0] ?? 'settled, quiet tail'}`);
  return now.length > 0 ? now.join('; ') : `watching, ${counted(ended.length, 'change')} so far`;
}

/** A Service of the same name with another address is another Service. */
async function goneService(
  { namespace, services }: WatchDriverOptions,
  kube: Kube,
): Promise<string | undefined> {
  for (const { name, uid } of services) {
    const answer = await kube.raw('GET', `/api/v1/namespaces/${namespace}/services/${name}`, {
      timeoutMs: ANSWER_LIMIT_MS,
    });
    if (answer.status === 404) return `Service ${name} was deleted while it was watched.`;
    if (answer.status !== 200) continue;
    const { metadata } = JSON.parse(answer.text) as { metadata?: { uid?: string } };
    if (metadata?.uid !== uid) return `Service ${name} was deleted and made anew while it was watched.`;
  }
  return undefined;
}

/** Wrong from the first request on is a wrong question, not a loss. */
function refuseWhatDoesNotAnswer({ services, episodes }: WatchDriverOptions): void {
  for (const { name, path } of services) {
    const counts = episodes.countsOf(name);
    const lost = Object.entries(counts).filter(([outcome]) => outcome !== 'ok');
    if ((counts.ok ?? 0) > 0 || lost.length === 0) continue;
    const how = lost.map(([outcome, count]) => `${outcome} ${count}`).join(', ');
    throw new UsageError(
      `Service ${name}: not one request for ${path} was answered as expected (${how}). Name a path that answers with --path, or its statuses with --expect-status.`,
    );
  }
}

/** Which pod, why, and what it said last. */
async function tellWhatHangs({ namespace, episodes, limitMs, ended }: WatchDriverOptions, scene: Scene) {
  const said: string[] = [];
  for (const [service, left] of episodes.going) {
    const pod = left.map((one) => /^pod (\S+)/.exec(one)?.[1]).find((one) => one !== undefined);
    const log = pod ? await saidLast(scene.kube, namespace, pod, { timeoutMs: ANSWER_LIMIT_MS }) : '';
    said.push(`${service}: ${left.slice(0, 3).join('; ') || 'requests are still lost'}${log}`);
  }
  const text = `It had not settled after ${duration(limitMs)} (--limit). ${said.join('. ')}.`;
  scene.journal.write({ type: 'note', level: 'warning', text });
  ended(text, text);
}
