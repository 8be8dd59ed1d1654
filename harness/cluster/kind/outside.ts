// A load agent outside the cluster: a container on kind's Docker network, where an external balancer would stand.
import { randomBytes } from 'node:crypto';
import type { StartedTestContainer } from 'testcontainers';
import { FaultError } from '../../model/errors.ts';
import { label, managedBy } from '../../model/manifest.ts';
import type { OutsideAgent, OutsideProgram } from '../provider.ts';
import { ownerLabel } from './cluster-config.ts';

/** Docker network that kind attaches its nodes to. */
const NETWORK = 'kind';
const CONTROL_PORT = 8080;
const START_LIMIT_MS = 60_000;
const STOP_GRACE_MS = 1000;
/** The agent ends by itself when nobody asks it for this long; its container goes with the next start or `cleanup`. */
const IDLE_LIMIT_MS = 60_000;
/** While another experiment is measured, nobody else asks it. */
const HEARTBEAT_MS = 15_000;

/**
 * Starts the agent's image, which Docker has because it was built or pulled there. `token`: of the cluster's record, so that the
 * container goes with the cluster. Throws FaultError.
 */
export async function startOutsideAgent(
  { image, start }: OutsideProgram,
  token: string,
): Promise<OutsideAgent> {
  // Its reaper is an image of its own that has to be pulled; our agent ends by itself instead.
  process.env.TESTCONTAINERS_RYUK_DISABLED = 'true';
  try {
    // Half a second of loading that most runs have no use for.
    const { GenericContainer, Wait } = await import('testcontainers');
    const prepared = start
      ? new GenericContainer(image)
          .withCopyContentToContainer([{ content: Buffer.from(start.file.content), target: start.file.path }])
          .withCommand([...start.command])
      : new GenericContainer(image);
    const container = await prepared
      .withName(`rollproof-outside-${randomBytes(4).toString('hex')}`)
      .withNetworkMode(NETWORK)
      .withEnvironment({ PORT: String(CONTROL_PORT), ROLLPROOF_IDLE_LIMIT_MS: String(IDLE_LIMIT_MS) })
      .withLabels({ [label.managedBy]: managedBy, [label.role]: 'agent', [ownerLabel]: token })
      .withExposedPorts(CONTROL_PORT)
      .withWaitStrategy(Wait.forHttp('/healthz', CONTROL_PORT))
      .withStartupTimeout(START_LIMIT_MS)
      .start();
    const controlUrl = `http://127.0.0.1:${container.getMappedPort(CONTROL_PORT)}`;
    const heartbeat = setInterval(() => void fetch(`${controlUrl}/clock`).catch(() => {}), HEARTBEAT_MS);
    heartbeat.unref();
    return {
      name: container.getName().replace(/^\//, ''),
      controlUrl,
      [Symbol.asyncDispose]: () => {
        clearInterval(heartbeat);
        return remove(container);
      },
    };
  } catch (error) {
    throw new FaultError(
      `kind: the load agent outside the cluster (image ${image}, network ${NETWORK}) did not start: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

async function remove(container: StartedTestContainer): Promise<void> {
  try {
    await container.stop({ remove: true, timeout: STOP_GRACE_MS });
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return;
    const name = container.getName().replace(/^\//, '');
    throw new FaultError(
      `kind: load agent ${name} could not be removed (${(error as Error).message}). Remove it with: docker rm -f -v ${name}`,
      { cause: error },
    );
  }
}
