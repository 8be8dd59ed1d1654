// Schedules of probes against what recordings of v1.34.4 show (docs/embedded.md).
import * as assert from 'uvu/assert';
import type { Probe } from '../../emulator/node/probe.ts';
import { type ProbedContainer, ProbeWorker } from '../../emulator/node/probe-worker.ts';
import { manualClock } from '../manual-clock.ts';
import { suite } from '../suite.ts';

const test = suite('kubelet probe worker');
const second = 1000;

function probing(kind: 'readiness' | 'liveness' | 'startup', probe: Probe, healthyFromMs: number) {
  const clock = manualClock();
  const probes: number[] = [];
  const results: string[] = [];
  const unhealthy: string[] = [];
  let container: ProbedContainer | undefined;
  let finished = false;
  let tookMs = 0;
  const worker = new ProbeWorker({
    kind,
    probe,
    clock,
    onDefect: (text) => {
      throw new Error(text);
    },
    restartPolicy: 'Always',
    look: () => ({ finished, container }),
    run: async () => {
      probes.push(clock.now());
      if (tookMs > 0) await new Promise<void>((resolve) => clock.after(tookMs, resolve));
      return clock.now() >= healthyFromMs
        ? { success: true, output: '' }
        : { success: false, output: 'down' };
    },
    unhealthy: (output) => unhealthy.push(output),
    result: (_id, result) => results.push(`${clock.now()} ${result}`),
  });
  return {
    clock,
    worker,
    probes,
    results,
    unhealthy,
    run(started = true) {
      container = {
        containerID: 'containerd://1',
        running: true,
        terminated: false,
        started,
        startedAtMs: Math.floor(clock.wall() / second) * second,
      };
    },
    crash() {
      container = { ...(container as ProbedContainer), running: false, terminated: true };
    },
    end() {
      finished = true;
    },
    slow(ms: number) {
      tookMs = ms;
    },
  };
}

test('a poke runs at once and periods count from it', async () => {
  const it = probing('readiness', { periodSeconds: 3, successThreshold: 2 }, 2 * second);
  it.worker.start();
  await it.clock.advance(1500);
  it.run();
  it.worker.poke();
  await it.clock.advance(1000);
  it.worker.poke();
  await it.clock.advance(10 * second);
  it.worker.stop();
  // Recorded: fail at +0, ok at +1, ok at +4, Ready then.
  assert.equal(it.probes, [1500, 2500, 5500, 8500, 11_500]);
  assert.equal(it.results, ['1500 failure', '5500 success', '8500 success', '11500 success']);
});

test('initialDelaySeconds skips ticks and shifts none', async () => {
  const it = probing('readiness', { periodSeconds: 10, initialDelaySeconds: 15 }, 0);
  it.worker.start();
  await it.clock.advance(1700);
  it.run();
  it.worker.poke();
  await it.clock.advance(1000);
  it.worker.poke();
  await it.clock.advance(40 * second);
  it.worker.stop();
  // Recorded: delay 15, period 10 → first probe 20.95 to 20.99 s after Running, every time.
  assert.is(it.probes[0], 22_700);
});

test('thresholds count equal results in a row', async () => {
  const it = probing('liveness', { periodSeconds: 1, failureThreshold: 3 }, Number.POSITIVE_INFINITY);
  it.run();
  it.worker.start();
  await it.clock.advance(6 * second);
  it.worker.stop();
  assert.equal(it.results, ['0 success', '2000 failure']);
  assert.equal(it.probes, [0, 1000, 2000], 'on hold until there is a new container');
  assert.is(it.unhealthy.length, 3);
});

test('readiness waits for startup, and startup ends with its success', async () => {
  const startup = probing('startup', { periodSeconds: 2, failureThreshold: 10 }, 5 * second);
  startup.run(false);
  startup.worker.start();
  await startup.clock.advance(20 * second);
  startup.worker.stop();
  assert.equal(startup.probes, [0, 2000, 4000, 6000]);
  const readiness = probing('readiness', { periodSeconds: 1 }, 0);
  readiness.run(false);
  readiness.worker.start();
  await readiness.clock.advance(3 * second);
  readiness.worker.stop();
  assert.equal(readiness.probes, []);
});

test('a probe that takes longer than its period is followed by the next at once', async () => {
  const it = probing('readiness', { periodSeconds: 3 }, 0);
  it.slow(5000);
  it.run();
  it.worker.start();
  await it.clock.advance(16 * second);
  it.worker.stop();
  assert.equal(it.probes, [0, 5000, 10_000, 15_000]);
});

test('a container that stopped is not ready; a pod that ended is probed no more', async () => {
  const it = probing('readiness', { periodSeconds: 1 }, 0);
  it.run();
  it.worker.start();
  await it.clock.advance(1500);
  it.crash();
  await it.clock.advance(1000);
  assert.is(it.results.at(-1), '2000 failure');
  it.end();
  await it.clock.advance(5 * second);
  it.worker.stop();
  assert.equal(it.probes, [0, 1000]);
});

test.run();
