// postStart and preStop: exec, httpGet, sleep (pkg/kubelet/lifecycle/handlers.go).
import type { Pod } from '../api/types.ts';
import { pause } from './clock.ts';
import type { NodeContext } from './node-context.ts';
import type { PodRuntime } from './pod-runtime.ts';
import { type Container, callHook } from './probe.ts';

type Hook = NonNullable<NonNullable<Container['lifecycle']>['preStop']>;

/**
 * Runs a hook to its end. Rejects when it failed: an exec that exits non-zero or is killed with its container, an
 * httpGet that nobody answers. An httpGet's status does not matter.
 */
export async function runHook(
  { clock, latencies }: Pick<NodeContext, 'clock' | 'latencies'>,
  runtime: PodRuntime,
  pod: Pod,
  container: Container,
  hook: Hook,
  signal: AbortSignal,
): Promise<void> {
  if (hook.exec) {
    const command = hook.exec.command ?? [];
    const process = runtime.processOf(container.name);
    if (!process) throw new Error('container is not running');
    await pause(clock, latencies.of('exec'), signal);
    const exec = await process.exec(runtime.command(container.name, command));
    const exitCode = await exec.ended;
    if (exitCode !== 0) throw new Error(`command '${command.join(' ')}' exited with ${exitCode}: `);
    return;
  }
  if (hook.httpGet) {
    const target = {
      podIP: runtime.podIP ?? pod.status?.podIP ?? '',
      container,
      reach: (port: number) => runtime.reach(port),
    };
    await callHook(target, hook.httpGet, signal);
    return;
  }
  if (hook.sleep) {
    await pause(clock, hook.sleep.seconds * 1000, signal);
    return;
  }
  throw new Error('invalid handler');
}
