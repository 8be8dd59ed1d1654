// Starts the load agent as a process of its own, configured by the environment: PORT, PHASE_PORT, and ROLLPROOF_IDLE_LIMIT_MS, and in the emulated
// cluster ROLLPROOF_BIND_ADDRESS, ROLLPROOF_ROUTES and ROLLPROOF_PARENT_PID. Ends on SIGTERM and with its parent.
import { runAgent } from './agent.ts';

const parentPollMs = 500;

// Name lookups use the thread pool; set before anything uses it.
process.env.UV_THREADPOOL_SIZE ??= '8';

main().catch((error: unknown) => {
  process.stderr.write(`rollproof agent: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});

async function main(): Promise<void> {
  const { env } = process;
  const agent = await runAgent({
    port: portOf('PORT', 8080),
    phasePort: portOf('PHASE_PORT', 7070),
    host: env.ROLLPROOF_BIND_ADDRESS || undefined,
    routesUrl: env.ROLLPROOF_ROUTES || undefined,
  });
  process.stdout.write(`rollproof agent: control on port ${agent.port}, phases on port ${agent.phasePort}\n`);
  const end = () => {
    agent.close().finally(() => process.exit(0));
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  const idleLimitMs = Number(env.ROLLPROOF_IDLE_LIMIT_MS);
  // Outside a cluster nobody else takes the agent away when its harness was killed.
  if (idleLimitMs > 0)
    setInterval(() => agent.idleMs() > idleLimitMs && end(), Math.max(parentPollMs, idleLimitMs / 40));
  const parent = Number(env.ROLLPROOF_PARENT_PID);
  if (parent > 0) setInterval(() => alive(parent) || process.exit(0), parentPollMs).unref();
}

function portOf(name: string, fallback: number): number {
  const text = process.env[name];
  const port = text ? Number(text) : fallback;
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`${name} is "${text}", not a port.`);
  return port;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
