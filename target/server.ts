// The default target: a small HTTP server whose start-up, work and way of stopping are chosen by environment
// variables (docs/settings.md). Runs as PID 1 of its container, so it must handle every signal that it cares about.
import { writeFileSync } from 'node:fs';
import { listenForAdmin } from './admin.ts';
import { readTargetConfig } from './config.ts';
import { HttpListener } from './listener.ts';
import { type ReportedPhase, reportPhases } from './phases.ts';

/** A stop in mode `exit` may wait this long for the kernel to take the last words. */
const LAST_WORDS_LIMIT_MS = 50;
/** How often the process looks whether the one that it must not outlive is still there. */
const PARENT_CHECK_MS = 500;

const config = readConfigOrExit();
const phases = reportPhases(config);
const listener = new HttpListener(config);
let stopping = false;

function report(phase: ReportedPhase): void {
  phases.report(phase);
}

report('starting');
if (config.parentPid !== undefined) endWithParent(config.parentPid);
process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => process.exit(130));
listenForAdmin(config, {
  crash: () => process.exit(1),
  hang,
  unready: () => {
    listener.healthy = false;
    report('unready');
  },
  ready: () => {
    listener.healthy = true;
    if (listener.listening) report('listening');
  },
});
setTimeout(() => void startServing(), config.startMs);

async function startServing(): Promise<void> {
  if (stopping) return;
  try {
    await listener.listen();
  } catch (error) {
    fail(`target: cannot listen on port ${config.port}: ${(error as Error).message}`);
  }
  if (config.readyFile) writeFileSync(config.readyFile, 'ready\n');
  process.stdout.write('listening\n');
  report('listening');
  if (config.crashAfterMs > 0) setTimeout(() => process.exit(1), config.crashAfterMs);
}

/** SIGTERM. The exit code is 0 in every mode: the process was asked to go and went. */
async function stop(): Promise<void> {
  if (stopping) return;
  process.stdout.write('SIGTERM\n');
  report('sigterm');
  if (config.onTerm === 'ignore') return;
  stopping = true;
  if (config.onTerm === 'graceful') await listener.linger();
  if (config.onTerm === 'drain') await listener.drain();
  report('closed');
  await phases.flush(LAST_WORDS_LIMIT_MS);
  process.exit(0);
}

/**
 * Blocks the only thread, as a deadlocked app does: the kernel goes on accepting connections, nobody answers, and
 * SIGTERM is not handled, so that only SIGKILL ends it. Wakes up now and then only to not outlive its parent.
 */
function hang(): void {
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    Atomics.wait(never, 0, 0, PARENT_CHECK_MS);
    if (config.parentPid !== undefined && !isAlive(config.parentPid)) process.exit(1);
  }
}

/** On a cluster without containers nothing else ends the process when its kubelet was killed. */
function endWithParent(pid: number): void {
  setInterval(() => {
    if (!isAlive(pid)) process.exit(1);
  }, PARENT_CHECK_MS);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function readConfigOrExit() {
  try {
    return readTargetConfig(process.env);
  } catch (error) {
    fail(`target: ${(error as Error).message}`);
  }
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
