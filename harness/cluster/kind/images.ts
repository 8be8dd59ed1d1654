// Makes images available on the nodes: builds ours, pulls what Docker lacks, and loads what the nodes lack.
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FaultError } from '../../model/errors.ts';
import { packageFile } from '../package-root.ts';
import type { CreateOptions, ImageRequest } from '../provider.ts';
import { CommandError, type RunCommand } from './command.ts';

const BUILD_LIMIT_MS = 180_000;
const LOAD_LIMIT_MS = 240_000;
const PULL_LIMIT_MS = 180_000;
const LIMIT_MS = 30_000;
/** On our images: the hash of what they were built from, so that what is unchanged is not built again. */
const CONTENT_LABEL = 'rollproof.dev/content';

export interface ImageTarget {
  readonly cluster: string;
  readonly nodes: readonly string[];
  /** For build contexts and kind's archives; it goes with the cluster. */
  readonly folder: string;
}

/** Throws FaultError that names the image. */
export async function provideImages(
  run: RunCommand,
  target: ImageTarget,
  images: readonly ImageRequest[],
  options: CreateOptions,
): Promise<void> {
  const unique = [...new Map(images.map((image) => [image.name, image])).values()];
  for (const image of unique) {
    if (image.build) await buildImage(run, target.folder, image, image.build, options);
  }
  const onNodes = await Promise.all(target.nodes.map((node) => imagesOn(run, node)));
  const load = new Set<string>();
  const lacking = new Set<string>();
  for (const { name } of unique) {
    const present = onNodes.map((images) => images.get(canonicalName(name)));
    let id = await imageId(run, name);
    if (id === undefined && present.every((ids) => ids !== undefined)) continue;
    id ??= await pullImage(run, name, options);
    for (const [index, node] of target.nodes.entries()) {
      if (present[index]?.has(id)) continue;
      load.add(name);
      lacking.add(node);
    }
  }
  if (load.size > 0) await loadImages(run, target, [...load], [...lacking], options);
}

async function buildImage(
  run: RunCommand,
  folder: string,
  image: ImageRequest,
  build: NonNullable<ImageRequest['build']>,
  options: CreateOptions,
): Promise<void> {
  const dockerfile = dockerfileFor(readFileSync(packageFile('target/Dockerfile'), 'utf8'), build.env);
  const content = createHash('sha256').update(dockerfile).update(readFileSync(build.bundle)).digest('hex');
  if ((await contentOf(run, image.name)) === content) return;
  options.progress(`building image ${image.name}`);
  mkdirSync(folder, { recursive: true });
  const context = mkdtempSync(join(folder, 'build-'));
  try {
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    copyFileSync(build.bundle, join(context, 'main.cjs'));
    const args = ['build', '--quiet', '--label', `${CONTENT_LABEL}=${content}`, '--tag', image.name, context];
    await run('docker', args, { limitMs: BUILD_LIMIT_MS, signal: options.signal });
  } catch (error) {
    throw failureOf(`kind: image ${image.name} could not be built.`, error);
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

/** The environment goes into the image, as an author of an image would have it. */
export function dockerfileFor(base: string, env: Readonly<Record<string, string>>): string {
  const lines = Object.entries(env).map(
    ([name, value]) => `ENV ${name}=${JSON.stringify(value).replaceAll('$', '\\$')}`,
  );
  return [base.trimEnd(), ...lines, ''].join('\n');
}

async function contentOf(run: RunCommand, image: string): Promise<string | undefined> {
  return inspect(run, image, `{{index .Config.Labels "${CONTENT_LABEL}"}}`);
}

/** undefined: Docker does not have it. */
async function imageId(run: RunCommand, image: string): Promise<string | undefined> {
  return inspect(run, image, '{{.Id}}');
}

async function inspect(run: RunCommand, image: string, format: string): Promise<string | undefined> {
  try {
    const { stdout } = await run('docker', ['image', 'inspect', '--format', format, image], {
      limitMs: LIMIT_MS,
    });
    return stdout.trim() || undefined;
  } catch (error) {
    if (error instanceof CommandError && typeof error.end === 'number') return undefined;
    throw error;
  }
}

/** By ctr, not crictl: kind itself loads images with ctr, so it is on every node image. */
async function imagesOn(run: RunCommand, node: string): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { stdout } = await run('docker', ['exec', node, 'ctr', '--namespace', 'k8s.io', 'images', 'list'], {
    limitMs: LIMIT_MS,
  });
  return imagesByName(stdout);
}

/**
 * Ids of the images on a node by their full names. containerd lists each image under its name and under its id
 * ("sha256:..."), both with the digest of the same manifest: that joins them. Docker's id of an image is that id, or the
 * manifest's digest when Docker keeps its images in containerd.
 */
export function imagesByName(list: string): ReadonlyMap<string, ReadonlySet<string>> {
  const rows = list.split('\n').flatMap((line) => {
    const [name, , digest] = line.trim().split(/\s+/);
    return name && digest?.startsWith('sha256:') ? [{ name, digest }] : [];
  });
  const ids = new Map<string, Set<string>>();
  for (const { name, digest } of rows) {
    const known = ids.get(digest) ?? new Set([digest]);
    if (name.startsWith('sha256:')) known.add(name);
    ids.set(digest, known);
  }
  return new Map(rows.map(({ name, digest }) => [name, ids.get(digest) ?? new Set()]));
}

async function loadImages(
  run: RunCommand,
  target: ImageTarget,
  images: readonly string[],
  nodes: readonly string[],
  options: CreateOptions,
): Promise<void> {
  options.progress(`loading ${images.length} images into ${nodes.length} nodes`);
  // kind writes an archive into TMPDIR and would leave it there when it is killed.
  const temporary = join(target.folder, 'tmp');
  mkdirSync(temporary, { recursive: true });
  try {
    await run(
      'kind',
      ['load', 'docker-image', ...images, '--name', target.cluster, '--nodes', nodes.join(',')],
      {
        limitMs: LOAD_LIMIT_MS,
        signal: options.signal,
        env: { TMPDIR: temporary },
      },
    );
  } catch (error) {
    throw failureOf(`kind: ${images.join(', ')} could not be loaded into the nodes.`, error);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** By Docker rather than by the nodes, because Docker has the user's credentials. Returns the image's id. */
async function pullImage(run: RunCommand, image: string, options: CreateOptions): Promise<string> {
  options.progress(`pulling ${image}`);
  const sentence = `kind: image ${image} is not in Docker and cannot be pulled. Build or pull it, or name another one.`;
  try {
    await run('docker', ['pull', '--quiet', image], { limitMs: PULL_LIMIT_MS, signal: options.signal });
  } catch (error) {
    throw failureOf(sentence, error);
  }
  const id = await imageId(run, image);
  if (id === undefined) throw new FaultError(sentence);
  return id;
}

/** The name under which a node knows an image: registry, repository, tag. */
export function canonicalName(image: string): string {
  const [name, digest] = image.split('@', 2) as [string, string?];
  const first = name.split('/', 1)[0] ?? '';
  const hasRegistry = name.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  const withRegistry = hasRegistry
    ? name
    : name.includes('/')
      ? `docker.io/${name}`
      : `docker.io/library/${name}`;
  if (digest) return `${withRegistry}@${digest}`;
  const hasTag = withRegistry.slice(withRegistry.lastIndexOf('/')).includes(':');
  return hasTag ? withRegistry : `${withRegistry}:latest`;
}

function failureOf(sentence: string, error: unknown): unknown {
  return error instanceof CommandError
    ? new FaultError(`${sentence}\n${error.message}`, { cause: error })
    : error;
}
