// `--cross-check k6`: can k6 be run on this cluster, and how? Where pods are containers it gets an image of its own, made
// of the program on the PATH and our script. A k6 that is missing or does not run is a sentence, no failure.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { CreateOptions, ImageRequest, RunningCluster } from '../cluster/provider.ts';
import { CommandError, type RunCommand, runCommand } from '../exec/command.ts';
import { k6Binary, k6Version, noK6, versionIn } from '../load/k6/binary.ts';
import { bundledScript } from '../load/k6/bundled-script.ts';
import { FaultError } from '../model/errors.ts';
import type { K6Means } from './experiment/k6-program.ts';

const VERSION_LIMIT_MS = 30_000;

export async function k6Means(
  cluster: RunningCluster,
  options: CreateOptions,
  run: RunCommand = runCommand,
): Promise<K6Means> {
  const version = k6Version();
  const program = k6Binary();
  if (version === undefined || program === undefined) return { how: 'none', why: noK6 };
  if (cluster.info.emulated) return { how: 'process', version };
  if (cluster.info.kind !== 'kind') {
    return {
      how: 'none',
      why: `Cross-check: the image of k6 is made here, and cluster ${cluster.info.name} cannot get it from here, so that nothing is compared. Use --cluster kind or embedded.`,
    };
  }
  try {
    const image = await k6Image(program);
    await cluster.provideImages([image], options);
    return { how: 'pod', image: image.name, version: await versionInContainer(run, image.name, options) };
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    const reason = error instanceof CommandError ? error.lastLine : error.message.split('\n', 1)[0];
    return {
      how: 'none',
      why: `Cross-check: ${program} does not run in a container (${reason}), so that nothing is compared. It has to be k6's own program for Linux, statically linked.`,
    };
  }
}

/** Nothing but the program, which is statically linked, and the script. By number: there are no names in it. */
const dockerfile = `FROM scratch
COPY k6 script.js /
USER 1000:1000
ENTRYPOINT ["/k6"]
`;

async function k6Image(program: string): Promise<ImageRequest> {
  const script = await bundledScript();
  const content = createHash('sha256').update(dockerfile);
  for (const file of [program, script]) content.update(readFileSync(file));
  return {
    name: `rollproof/k6:${content.digest('hex').slice(0, 12)}`,
    build: { dockerfile, files: { k6: program, 'script.js': script } },
  };
}

/** Asked of the image: a wrapper of k6 or a program for another system would not run in it. */
async function versionInContainer(
  run: RunCommand,
  image: string,
  { signal }: CreateOptions,
): Promise<string> {
  const { stdout } = await run('docker', ['run', '--rm', '--network', 'none', image, 'version'], {
    limitMs: VERSION_LIMIT_MS,
    signal,
  });
  return versionIn(stdout);
}
