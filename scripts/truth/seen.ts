// What was seen at the other end, read back: connections as the pods' nodes tracked them, and what the apps did by their
// own word. Times in ms since 1970.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { conntrackEvent, REFUSED_WITHIN_MS } from '../../harness/record/conntrack-event.ts';

export interface Arrived {
  /** Of the client. */
  readonly from: string;
  readonly port: number;
  /** Address of the pod. */
  readonly ip: string;
  readonly atMs: number;
  answer: 'none' | 'accepted' | 'refused';
}

/** A container's life, in its own words. */
export interface AppLog {
  readonly pod: string;
  readonly namespace: string;
  /** First word of all. */
  readonly firstMs: number;
  readonly listeningMs: number | undefined;
  /** The server was closed, or the process ended; undefined: it said neither (killed, or still there). */
  readonly closedMs: number | undefined;
  /** It would have said that it ends: it logs more than answers. */
  readonly tellsItsEnd: boolean;
  readonly lastMs: number;
  /** By client, host:port: what became of its requests. */
  readonly clients: ReadonlyMap<string, ClientLog>;
}

export interface ClientLog {
  /** Times at which a request had come in; empty where the app logs answers alone. */
  readonly requests: readonly number[];
  readonly answers: readonly { readonly atMs: number; readonly status: number }[];
}

export interface OtherEnd {
  readonly arrived: readonly Arrived[];
  readonly apps: readonly AppLog[];
}

/** `folder` with one of nodes.ts in it for each recording. */
export function readOtherEnd(folder: string, port: number): OtherEnd {
  const arrived: Arrived[] = [];
  const apps: AppLog[] = [];
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!basename(file).includes('.')) continue;
    const text = readFileSync(join(folder, file), 'utf8');
    if (file.endsWith('.conntrack')) arrived.push(...arrivals(text.split('\n')));
    else if (file.endsWith('.logs')) apps.push(...appLogs(text.split('\n'), port));
  }
  return { arrived: arrived.sort((a, b) => a.atMs - b.atMs), apps };
}

export function arrivals(lines: readonly string[]): Arrived[] {
  const all: Arrived[] = [];
  const open = new Map<string, Arrived>();
  for (const line of lines) {
    const event = conntrackEvent(line);
    if (!event) continue;
    const { kind, id, from, port, pod, atMs } = event;
    if (kind === 'new') {
      const one: Arrived = { from, port, ip: pod.slice(0, pod.lastIndexOf(':')), atMs, answer: 'none' };
      all.push(one);
      open.set(id, one);
      continue;
    }
    const one = open.get(id);
    open.delete(id);
    if (one && (kind === 'accepted' || atMs - one.atMs < REFUSED_WITHIN_MS))
      one.answer = kind === 'accepted' ? 'accepted' : 'refused';
  }
  return all;
}

/** `POD_NAMESPACE_CONTAINER-ID.log`, as the kubelet names them. */
const fileName = /^== ([^_]+)_([^_]+)_.*\.log$/;
/** A line as the container runtime writes it, with one of ours (logging.ts) in it. */
const written = / truth ([\d.]+) (\w+) ?(.*)$/;

/** `port`: that of the app; what it says of others (an admin port) is left out. */
export function appLogs(lines: readonly string[], port: number): AppLog[] {
  const logs: { name: RegExpExecArray; lines: string[] }[] = [];
  for (const line of lines) {
    const name = fileName.exec(line);
    if (name) logs.push({ name, lines: [] });
    else logs.at(-1)?.lines.push(line);
  }
  return logs.flatMap(({ name: [, pod = '', namespace = ''], lines: own }) => {
    const log = appLog(own, port);
    return log ? [{ pod, namespace, ...log }] : [];
  });
}

function appLog(lines: readonly string[], port: number): Omit<AppLog, 'pod' | 'namespace'> | undefined {
  const words = lines.flatMap((line) => {
    const found = written.exec(line);
    return found ? [{ atMs: secondsOrMs(found[1] ?? ''), word: found[2], rest: found[3] ?? '' }] : [];
  });
  const [first] = words;
  const last = words.at(-1);
  if (!first || !last) return undefined;
  const ofOthers = ({ word, rest }: (typeof words)[number]) =>
    (word === 'listening' || word === 'closed') && Number(rest) !== port;
  const own = words.filter((one) => !ofOthers(one));
  const when = (...names: readonly string[]) => own.find(({ word }) => names.includes(word ?? ''))?.atMs;
  const clients = new Map<string, { requests: number[]; answers: { atMs: number; status: number }[] }>();
  for (const { atMs, word, rest } of words) {
    if (word !== 'request' && word !== 'answered') continue;
    const [client = '', status] = rest.split(' ');
    const log = clients.get(client) ?? { requests: [], answers: [] };
    clients.set(client, log);
    if (word === 'request') log.requests.push(atMs);
    else log.answers.push({ atMs, status: Number(status) });
  }
  return {
    firstMs: first.atMs,
    listeningMs: when('listening', 'answered'),
    closedMs: when('closed', 'exit'),
    tellsItsEnd: when('listening') !== undefined,
    lastMs: last.atMs,
    clients,
  };
}

/** nginx writes seconds. */
const secondsOrMs = (text: string): number => (Number(text) < 1e11 ? Number(text) * 1000 : Number(text));
