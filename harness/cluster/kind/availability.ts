// Can kind serve here? One sentence with what was seen and what to do, found out without changing anything.
import { CommandError, type RunCommand } from '../../exec/command.ts';
import { chooseNodeImage, nodeImageProblem } from './node-image.ts';

const LIMIT_MS = 15_000;

/** `hasCluster`: one of ours is up already, so no node image is needed. */
export async function whyNotAvailable(
  run: RunCommand,
  nodeImage: string | undefined,
  hasCluster: boolean,
): Promise<string | undefined> {
  const docker = await failureOf(run, 'docker', ['version', '--format', '{{.Server.Version}}']);
  if (docker?.end === 'not-found') {
    return 'kind: there is no "docker" on the PATH. Install Docker (https://docs.docker.com/engine/install/) or use --cluster embedded.';
  }
  if (docker?.end === 'timeout') {
    return `kind: Docker did not answer within ${LIMIT_MS / 1000} s. Start it again, or use --cluster embedded.`;
  }
  if (docker)
    return `kind: Docker does not answer (${docker.lastLine}). Start it, or use --cluster embedded.`;
  const kind = await failureOf(run, 'kind', ['version']);
  if (kind?.end === 'not-found') {
    return 'kind: there is no "kind" on the PATH. Install it (https://kind.sigs.k8s.io) or use --cluster embedded.';
  }
  if (kind)
    return `kind: "kind version" failed (${kind.lastLine}). Install kind again, or use --cluster embedded.`;
  if (hasCluster) return undefined;
  const problem = await nodeImageProblem(run, await chooseNodeImage(run, nodeImage));
  return (
    problem &&
    `kind: ${problem}. Load one into Docker, name one that is present with --kind-image, or use --cluster embedded.`
  );
}

async function failureOf(
  run: RunCommand,
  file: string,
  args: readonly string[],
): Promise<CommandError | undefined> {
  try {
    await run(file, args, { limitMs: LIMIT_MS });
    return undefined;
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
}
