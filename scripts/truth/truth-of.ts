// What became of one lost attempt in truth: by what arrived at the pods' nodes and by the apps' own logs. It looks at
// nothing that the judge looks at but the attempt itself and which pod has which address. Pure.
import type { Outcome } from '../../harness/model/load.ts';
import type { Cause } from '../../harness/model/results.ts';
import type { AppLog, Arrived } from './seen.ts';

export interface Truth {
  readonly cause: Cause;
  /** undefined: no pod was reached. */
  readonly pod: string | undefined;
  readonly why: string;
}

/** An attempt on the clock of the nodes. */
export interface LostThere {
  readonly outcome: Outcome;
  readonly reused: boolean;
  readonly startMs: number;
  readonly endMs: number;
}

/** The pod that was reached. */
export interface Reached {
  readonly pod: string;
  readonly arrived: Arrived;
  /** Connections that it accepted, by its node. */
  readonly acceptedMs: readonly number[];
  /** Of its containers, in order. */
  readonly logs: readonly AppLog[];
}

/** Clocks of two programs on one machine, and the time from one to the other, ms. */
const NEAR_MS = 20;

export function truthOf(lost: LostThere, reached: Reached | undefined): Truth {
  if (!reached) {
    return lost.outcome === 'refused'
      ? { cause: 'no-endpoint', pod: undefined, why: 'it arrived at no node of a pod' }
      : { cause: 'routed-after-stop', pod: undefined, why: 'it arrived nowhere, and nobody rejected it' };
  }
  const { pod, arrived, acceptedMs, logs } = reached;
  const say = (cause: Cause, why: string): Truth => ({ cause, pod, why });
  if (lost.outcome === 'http5xx') return say('app-error', 'the app answered it with that status');
  const log = logs.findLast(({ firstMs }) => firstMs <= arrived.atMs) ?? logs[0];
  if (arrived.answer !== 'accepted') {
    const listened =
      acceptedMs.some((atMs) => atMs < arrived.atMs) ||
      (log?.listeningMs !== undefined && log.listeningMs <= arrived.atMs);
    const how = arrived.answer === 'refused' ? 'refused it' : 'did not answer it';
    return listened
      ? say('routed-after-stop', `the pod ${how}, and had listened before`)
      : say('routed-before-listening', `the pod ${how}, and had not listened yet`);
  }
  const client = log?.clients.get(`${arrived.from}:${arrived.port}`);
  const request = client?.requests.at(-1);
  const answer = client?.answers.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY;
  const inHand = request !== undefined && request > answer && request >= lost.startMs - NEAR_MS;
  const killed = log?.tellsItsEnd && log.closedMs === undefined;
  if (killed && log.lastMs <= lost.endMs + NEAR_MS)
    return say('grace-exceeded', 'the process was killed: it did not say that it ends');
  if (inHand) return say('killed-in-flight', 'the app had the request and did not answer it');
  if (lost.reused) return say('kept-connection-cut', 'the request never came to the app');
  return say('killed-in-flight', 'the kernel had accepted it, and the app never took it');
}
