// The log of a pod that writes a line per event of its node, followed to the pod's end. Where following breaks off (an API
// server that restarts) it is followed again from the last event that was read: what was said in between is in the log.
import { setTimeout as sleep } from 'node:timers/promises';
import { whyNotRead } from '../../cluster/conntrack.ts';
import type { WitnessRequest } from '../../cluster/provider.ts';
import type { Kube } from '../../kube/client.ts';
import { waitFor } from '../../kube/wait.ts';
import { FaultError, messageOf } from '../../model/errors.ts';

interface Followed {
  readonly kube: Kube;
  readonly namespace: string;
  readonly pod: string;
  /** The first line that is wanted; what comes before it says why it does not come. */
  readonly from: string;
  readonly request: Pick<WitnessRequest, 'onLine' | 'onBreak' | 'onResumed'>;
  /** How long one break may last, ms. */
  readonly breakLimitMs?: number;
}

interface FollowedLog {
  readonly ended: Promise<string>;
  stop(): void;
}

/** As long as the agents are asked again (harness/run/watch). */
const BREAK_LIMIT_MS = 90_000;
const ASK_LIMIT_MS = 4000;
/** Between two tries, at first and at most; one that lasted is no try. */
const AGAIN_MS = { first: 50, most: 1000, lasted: 5000 };

/** Resolves when it says its first line. Throws FaultError with why it does not. */
export async function follow({
  kube,
  namespace,
  pod,
  from,
  request,
  breakLimitMs = BREAK_LIMIT_MS,
}: Followed): Promise<FollowedLog> {
  const stopped = new AbortController();
  const { signal } = stopped;
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}`;
  let begun: () => void = () => {};
  const beginning = new Promise<undefined>((resolve) => {
    begun = () => resolve(undefined);
  });
  const lines = new ContinuedLines(from, request.onLine);
  let brokeAt: number | undefined;
  lines.onContinued = (whole) => {
    if (brokeAt !== undefined) request.onResumed?.(whole);
    brokeAt = undefined;
    begun();
  };

  /** How it ended: a sentence's end. */
  const once = (): Promise<string> => {
    const { sinceTime } = lines;
    return kube
      .lines(
        `${path}/log`,
        { query: { follow: true, ...(sinceTime !== undefined && { sinceTime }) }, signal },
        (line) => lines.take(line),
      )
      .then(
        () => 'its pod ended',
        (error: unknown) => messageOf(error),
      );
  };

  const run = async (): Promise<string> => {
    for (let tries = 0; ; tries++) {
      const since = performance.now();
      const how = await once();
      if (signal.aborted || !lines.hasBegun) return [how, ...lines.before].join(': ');
      if (brokeAt === undefined) {
        brokeAt = performance.now();
        request.onBreak?.();
      }
      lines.continue();
      if (performance.now() - since > AGAIN_MS.lasted) tries = 0;
      const leftMs = brokeAt + breakLimitMs - performance.now();
      if (leftMs <= 0) return `could not be followed again within ${breakLimitMs / 1000} s (${how})`;
      try {
        await sleep(Math.min(AGAIN_MS.first * 2 ** tries, AGAIN_MS.most), undefined, { signal });
        if (!(await runs(leftMs))) return 'its pod ended';
      } catch (error) {
        return messageOf(error);
      }
    }
  };

  /** Waits for the API server: while it restarts nobody answers. */
  const runs = (limitMs: number): Promise<boolean> =>
    waitFor<boolean>(
      { what: `the API server to tell of pod ${pod}`, limitMs, signal, everyMs: AGAIN_MS.most },
      async (lookSignal) => {
        try {
          const { status, text } = await kube.raw('GET', path, {
            signal: lookSignal,
            timeoutMs: ASK_LIMIT_MS,
          });
          if (status === 404) return { met: false };
          if (status !== 200) return { seen: `${status}: ${text.slice(0, 200)}` };
          const { status: { phase } = {} } = JSON.parse(text) as { status?: { phase?: string } };
          return { met: phase !== 'Succeeded' && phase !== 'Failed' };
        } catch (error) {
          // Also one that counts as away by now: the limit is ours.
          return { seen: messageOf(error) };
        }
      },
    );

  const ended = run();
  const why = await whyNotRead(beginning, ended);
  if (why !== undefined) {
    stopped.abort();
    throw new FaultError(why);
  }
  return { ended, stop: () => stopped.abort() };
}

/** `[1764475412.123456]`: seconds of the node's clock, by which the log's lines are told apart and dated. */
const dated = /^\[(\d+)\.(\d+)\]/;
/** Lines of several programs come out of order by less than this. */
const DISORDER_S = 1;
/** Read again before the last event is found. */
const MOST_AGAIN = 100_000;

/** Passes lines on, each once, from a first one; where a log is read again, from the last event on that was passed. */
class ContinuedLines {
  /** Of a pod that never said the first line. */
  readonly before: string[] = [];
  onContinued: (whole: boolean) => void = () => {};
  readonly #onLine: (line: string) => void;
  /** Undefined: lines are passed on as they come. */
  #seeking: string[] | undefined = [];
  #last: string;
  #lastS: number | undefined;
  #begun = false;

  constructor(first: string, onLine: (line: string) => void) {
    this.#last = first;
    this.#onLine = onLine;
  }

  get hasBegun(): boolean {
    return this.#begun;
  }

  /** From when the log is asked for, RFC 3339: a line is written after what it tells of. Undefined: all of it. */
  get sinceTime(): string | undefined {
    if (this.#lastS === undefined) return undefined;
    return new Date((Math.floor(this.#lastS) - 2 * DISORDER_S) * 1000).toISOString().replace('.000', '');
  }

  continue(): void {
    this.#seeking = [];
  }

  take(line: string): void {
    if (!this.#seeking) {
      this.#pass(line);
      return;
    }
    if (line === this.#last) {
      this.#seeking = undefined;
      this.#begun = true;
      this.onContinued(true);
      return;
    }
    if (!this.#begun) {
      this.before.push(line);
      return;
    }
    this.#seeking.push(line);
    const at = secondsOf(line);
    const past = at !== undefined && this.#lastS !== undefined && at > this.#lastS + DISORDER_S;
    if (!past && this.#seeking.length < MOST_AGAIN) return;
    // The log was cut in between: it goes on with what is newer.
    const newer = this.#seeking.filter((one) => (secondsOf(one) ?? 0) > (this.#lastS ?? 0));
    this.#seeking = undefined;
    this.onContinued(false);
    for (const one of newer) this.#pass(one);
  }

  #pass(line: string): void {
    const at = secondsOf(line);
    if (at !== undefined) {
      this.#last = line;
      this.#lastS = at;
    }
    this.#onLine(line);
  }
}

function secondsOf(line: string): number | undefined {
  const [, seconds, fraction] = dated.exec(line) ?? [];
  return seconds === undefined ? undefined : Number(`${seconds}.${fraction}`);
}
