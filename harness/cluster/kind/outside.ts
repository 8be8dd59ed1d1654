// A load agent outside the cluster: a container on kind's Docker network, where an external balancer would stand.
import { GenericContainer, Wait } from 'testcontainers';
import { FaultError } from '../../model/errors.ts';
import { label, managedBy } from '../../model/manifest.ts';
import type { OutsideAgent } from '../provider.ts';
import { ownerLabel } from './cluster-config.ts';

/** Docker network that kind attaches its nodes to. */
const NETWORK = 'kind';
const CONTROL_PORT = 8080;
const START_LIMIT_MS = 60_000;
/** The agent ends by itself when nobody has asked it for this long: what a killed run leaves goes away. */
const IDLE_LIMIT_MS = 60_000;

/**
 * Starts the agent's image, which Docker has because it was built there. `token`: of the cluster's record, so that the
 * container goes with the cluster. Throws FaultError.
 */
export async function startOutsideAgent(image: string, token: string): Promise<OutsideAgent> {
  // Its reaper is an image of its own that has to be pulled; our agent ends by itself instead.
  process.env.TESTCONTAINERS_RYUK_DISABLED = 'true';
  try {
    const container = await new GenericContainer(image)
      .withNetworkMode(NETWORK)
      .withEnvironment({ PORT: String(CONTROL_PORT), ROLLPROOF_IDLE_LIMIT_MS: String(IDLE_LIMIT_MS) })
      .withLabels({ [label.managedBy]: managedBy, [label.role]: 'agent', [ownerLabel]: token })
      .withExposedPorts(CONTROL_PORT)
      .withAutoRemove(true)
      .withWaitStrategy(Wait.forHttp('/healthz', CONTROL_PORT))
      .withStartupTimeout(START_LIMIT_MS)
      .start();
    return {
      name: container.getName().replace(/^\//, ''),
      controlUrl: `http://127.0.0.1:${container.getMappedPort(CONTROL_PORT)}`,
      async [Symbol.asyncDispose]() {
        await container.stop({ remove: true, timeout: 1000 });
      },
    };
  } catch (error) {
    throw new FaultError(
      `kind: the load agent outside the cluster (image ${image}, network ${NETWORK}) did not start: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
