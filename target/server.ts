// The default target: a small HTTP server whose start-up, work and way of stopping are chosen by environment
// variables (docs/settings.md). Runs as PID 1 of its container, so it must handle every signal that it cares about.
import { writeFileSync } from 'node:fs';
import { listenForAdmin } from './admin.ts';
import { readTargetConfig, type TargetConfig } from './config.ts';
import { Consumer } from './consumer.ts';
import { HttpListener } from './listener.ts';
import { endWithParent, isAlive, PARENT_CHECK_MS } from './parent.ts';
import { type ReportedPhase, reportPhases } from './phases.ts';
import { serveQueue } from './queue-server.ts';

/** A stop in mode `exit` may wait this long for the kernel to take the last words. */
const LAST_WORDS_LIMIT_MS = 50;

const config = readConfigOrExit();
if (config.parentPid !== undefined) endWithParent(config.parentPid);
process.on('SIGINT', () => process.exit(130));
if (config.mode === 'queue') serveQueue(config).catch(cannotListen);
else serve(config);

function serve({ startMs, mode, queue, pace }: TargetConfig): void {
  const phases = reportPhases(config);
  const listener = new HttpListener(config, (requestId) => phases.received(requestId));
  const consumer = mode === 'consumer' ? new Consumer(queue, pace) : undefined;
  let stopping = false;
  const report = (phase: ReportedPhase) => phases.report(phase);

  report('starting');
  process.on('SIGTERM', () => void stop());
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
  setTimeout(() => void startServing(), startMs);

  async function startServing(): Promise<void> {
    if (stopping) return;
    await listener.listen().catch(cannotListen);
    if (config.readyFile) writeFileSync(config.readyFile, 'ready\n');
    process.stdout.write('listening\n');
    report('listening');
    consumer?.start();
    if (config.crashAfterMs > 0) setTimeout(() => process.exit(1), config.crashAfterMs);
  }

  /** SIGTERM. The exit code is 0 in every mode: the process was asked to go and went. */
  async function stop(): Promise<void> {
    if (stopping) return;
    process.stdout.write('SIGTERM\n');
    report('sigterm');
    if (config.onTerm === 'ignore') return;
    stopping = true;
    if (config.onTerm === 'graceful') await Promise.all([listener.linger(), consumer?.stop()]);
    if (config.onTerm === 'drain') await Promise.all([listener.drain(), consumer?.stop()]);
    report('closed');
    await phases.flush(LAST_WORDS_LIMIT_MS);
    process.exit(0);
  }
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

function readConfigOrExit(): TargetConfig {
  try {
    return readTargetConfig(process.env);
  } catch (error) {
    fail(`target: ${(error as Error).message}`);
  }
}

function cannotListen(error: Error): never {
  fail(`target: cannot listen on port ${config.port}: ${error.message}`);
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
