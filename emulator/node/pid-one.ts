// A container's first process is PID 1 of its namespace: the kernel drops signals that it does not handle. Here it is
// any process, so the kubelet asks /proc whether it has a handler, or waits for the signal as an init does. Node.js alone cannot be told that way: it always
// handles SIGTERM and SIGINT itself, by ending. A preloaded script gives it the handler that does nothing.
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, join } from 'node:path';

const MARKER = '.pid-one';

/** Only for the container's first process: what that one starts gets signals as any process does. */
const preload = `
if (String(process.ppid) === process.env.ROLLPROOF_PARENT_PID) {
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => {});
  try {
    require('node:fs').writeFileSync(require('node:path').join(process.env.TMPDIR, '${MARKER}'), '');
  } catch {}
}
`;

/** Writes the script into `folder`; returns its path. */
export function writePreload(folder: string): string {
  const file = join(folder, 'pid-one.cjs');
  writeFileSync(file, preload);
  return file;
}

/**
 * Whether PID 1 would get a signal. `tmp` is the container's own TMPDIR, where the preloaded script leaves its mark:
 * until then Node.js is still starting and nothing handles the signal.
 */
export function getsSignal(pid: number, signal: NodeJS.Signals, tmp: string | undefined): boolean {
  try {
    const reaches = reachesPidOne(readFileSync(`/proc/${pid}/status`, 'utf8'), signal);
    if (reaches === false) return waitsForSignals(pid);
    const isNode = basename(readlinkSync(`/proc/${pid}/exe`)) === 'node';
    return !isNode || tmp === undefined || existsSync(join(tmp, MARKER));
  } catch {
    // No /proc: it is taken to have a handler.
    return true;
  }
}

/** It sleeps until one comes (sigwait, sigtimedwait), as tini and dumb-init do: meanwhile none is shown as blocked. */
function waitsForSignals(pid: number): boolean {
  return /sigtimedwait|sigwait/.test(readFileSync(`/proc/${pid}/wchan`, 'utf8'));
}

/** By the text of /proc/PID/status; undefined: it does not say. One that is blocked stays until somebody takes it (tini). */
export function reachesPidOne(status: string, signal: NodeJS.Signals): boolean | undefined {
  const has = (set: string): boolean | undefined => {
    const bits = new RegExp(`^${set}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1];
    if (bits === undefined) return undefined;
    return (BigInt(`0x${bits}`) >> BigInt(constants.signals[signal] - 1)) % 2n === 1n;
  };
  const caught = has('SigCgt');
  return caught === false ? (has('SigBlk') ?? false) : caught;
}
