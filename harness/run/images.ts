// The images that a run needs: for our own programs stock ones with Node.js, to which the programs travel in a ConfigMap,
// or images that have them inside (embedded: local commands); and foreign ones.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterProvider, ImageRequest } from '../cluster/provider.ts';
import type { AgentConfiguration } from '../config/schema.ts';
import { packPrograms } from '../deploy/programs.ts';
import { bundle } from '../load/bundle.ts';
import { UsageError } from '../model/errors.ts';
import { namesOfImage } from '../model/image-name.ts';
import type { OwnPods } from '../model/own-pods.ts';
import { packageRoot } from './package-version.ts';

interface OwnImages {
  /** How our pods run. */
  readonly pods: OwnPods;
  /** The built-in target by the names that steps use. */
  readonly target: Readonly<Record<string, string>>;
  /** All that must be provided. */
  readonly requests: readonly ImageRequest[];
}

const versions = { current: '1', next: '2', third: '3', previous: '0' } as const;
type Version = keyof typeof versions;
const missing = 'rollproof/target:no-such-tag';

/** Names of our programs on a cluster of `rollproof cluster up`, whose images are local commands. */
export const emulatedImages = { agent: 'rollproof/agent:1', target: 'rollproof/target:1' } as const;

/** Bundles target and agent (cached by content) and names the images that run them. */
export function ownImages(kind: ClusterProvider['kind'], agent: AgentConfiguration): Promise<OwnImages> {
  return kind === 'embedded' || (kind === 'kind' && agent.build)
    ? builtImages(kind, agent)
    : stockImages(kind, agent);
}

/** Images under tags that carry the bundle's hash. */
async function builtImages(kind: ClusterProvider['kind'], agent: AgentConfiguration): Promise<OwnImages> {
  const [targetFile, agentFile] = await bundles(false);
  const tag = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 12);
  const target = namesByVersion((_, version) => `rollproof/target:v${version}-${tag(targetFile)}`);
  const agentImage = `rollproof/agent:${tag(agentFile)}`;
  return {
    pods: {
      containers: kind !== 'embedded',
      images: { agent: agentImage, target: target.current as string },
      node: agent.node,
    },
    target: { ...target, missing },
    requests: [
      ...Object.entries(versions).map(([name, version]) => ({
        name: target[name] as string,
        build: { bundle: targetFile, env: { VERSION: version } },
      })),
      { name: agentImage, build: { bundle: agentFile, env: {} } },
    ],
  };
}

/** Nothing is built: the same image by several names, and the programs beside it. */
async function stockImages(kind: ClusterProvider['kind'], agent: AgentConfiguration): Promise<OwnImages> {
  const [targetFile, agentFile] = await bundles(true);
  const names = [
    ...new Set([agent.image, ...(agent.nextImage ? [agent.nextImage] : []), ...namesOfImage(agent.image)]),
  ];
  // A name that is left out is one that a scenario cannot use, and says so.
  const target = namesByVersion((index) => names[index]);
  const { resources, nodeSelector, tolerations, spread, mesh, witness, witnessImage } = agent;
  return {
    pods: {
      containers: true,
      images: { agent: agent.image, target: agent.image },
      programs: packPrograms({ agent: readFileSync(agentFile), target: readFileSync(targetFile) }),
      node: agent.node,
      ...(agent.pullSecret !== undefined && { pullSecret: agent.pullSecret }),
      ...(kind === 'context' && {
        guest: {
          resources,
          mesh,
          ...(spread && { spread }),
          ...(witness && { witness: witnessImage === undefined ? {} : { image: witnessImage } }),
          ...(nodeSelector && { nodeSelector }),
          ...(tolerations && { tolerations }),
        },
      }),
    },
    target: { ...target, missing },
    requests: Object.values(target).map((name) => ({ name })),
  };
}

const bundles = (minify: boolean) =>
  Promise.all([
    bundle(join(packageRoot, 'target', 'server.ts'), { minify }),
    bundle(join(packageRoot, 'harness', 'load', 'agent-main.ts'), { minify }),
  ]);

const namesByVersion = (
  nameOf: (index: number, version: string) => string | undefined,
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(versions).flatMap(([name, version], index) => {
      const image = nameOf(index, version);
      return image === undefined ? [] : [[name, image]];
    }),
  );

/** An image that has one name alone cannot be changed to another. Throws UsageError before anything is started. */
export function checkOwnImages(
  { target }: OwnImages,
  agent: AgentConfiguration,
  used: ReadonlySet<string>,
): void {
  const lacking = [...used].find((name): name is Version => name in versions && target[name] === undefined);
  if (lacking === undefined) return;
  throw new UsageError(
    `agent.image: an image change of the built-in target needs several names for one image, and ${agent.image} has one alone. Name it by digest (${agent.image.replace(/:[\w][\w.-]*$/, '')}@sha256:...), or name another image with Node.js as agent.nextImage.`,
  );
}

/** The requests that these scenarios' steps need; images that are meant to be missing are not among them. */
export function neededRequests(
  own: OwnImages,
  foreign: readonly string[],
  used: ReadonlySet<string>,
): ImageRequest[] {
  const names = new Set([
    own.pods.images.agent,
    own.pods.images.target,
    ...[...used].map((name) => own.target[name]),
  ]);
  return [...own.requests.filter((request) => names.has(request.name)), ...foreign.map((name) => ({ name }))];
}

/** How connection tracking is to be read on a cluster of somebody's; undefined: not at all. */
export function witnessWanted({
  witness,
  witnessImage,
}: AgentConfiguration): 'named-image' | 'kube-proxy' | undefined {
  if (!witness) return undefined;
  return witnessImage === undefined ? 'kube-proxy' : 'named-image';
}
