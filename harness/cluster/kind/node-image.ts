// Which image the nodes run: the one that is named, else the newest that is present, else kind's own default.
import { CommandError, type RunCommand } from '../../exec/command.ts';

interface NodeImage {
  /** undefined: kind's default, which it pulls. */
  readonly name: string | undefined;
  readonly present: boolean;
}

const DOCKER_LIMIT_MS = 20_000;
const REGISTRY_LIMIT_MS = 20_000;
/** Asked for only to see whether the registry can be reached; kind knows its default by digest. */
const PROBE_IMAGE = 'kindest/node:v1.34.0';

export async function chooseNodeImage(run: RunCommand, named: string | undefined): Promise<NodeImage> {
  if (named) return { name: named, present: await isPresent(run, named) };
  const newest = newestOf(await presentNodeImages(run));
  return { name: newest, present: newest !== undefined };
}

/** What stands in the way of having the image; undefined: nothing that can be seen without pulling it. */
export async function nodeImageProblem(run: RunCommand, image: NodeImage): Promise<string | undefined> {
  if (image.present) return undefined;
  const asked = image.name ?? PROBE_IMAGE;
  try {
    await run('docker', ['manifest', 'inspect', asked], { limitMs: REGISTRY_LIMIT_MS });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const what = image.name ? `node image ${image.name} is not present` : 'no image kindest/node is present';
    return `${what} and the registry does not give it (${error.lastLine})`;
  }
}

async function isPresent(run: RunCommand, image: string): Promise<boolean> {
  try {
    await run('docker', ['image', 'inspect', '--format', '{{.Id}}', image], { limitMs: DOCKER_LIMIT_MS });
    return true;
  } catch (error) {
    if (error instanceof CommandError && typeof error.end === 'number') return false;
    throw error;
  }
}

async function presentNodeImages(run: RunCommand): Promise<readonly string[]> {
  const format = '{{.Repository}} {{.Tag}} {{.Digest}}';
  const { stdout } = await run('docker', ['image', 'ls', '--digests', '--format', format, 'kindest/node'], {
    limitMs: DOCKER_LIMIT_MS,
  });
  return stdout.split('\n').flatMap((line) => {
    const [repository, tag, digest] = line.trim().split(/\s+/);
    if (!repository) return [];
    if (tag && tag !== '<none>') return [`${repository}:${tag}`];
    // kind pulls by digest, which leaves an image without a tag.
    return digest && digest !== '<none>' ? [`${repository}@${digest}`] : [];
  });
}

/** Highest version first; an image without a version only when there is no other. */
export function newestOf(images: readonly string[]): string | undefined {
  return [...images].sort((left, right) => compare(versionOf(right), versionOf(left)))[0];
}

function versionOf(image: string): readonly number[] {
  const match = /:v(\d+)\.(\d+)\.(\d+)/.exec(image);
  return match ? match.slice(1).map(Number) : [-1];
}

function compare(left: readonly number[], right: readonly number[]): number {
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
