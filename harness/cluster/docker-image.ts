// Docker images: ours are built, others pulled; each failure is a sentence that names the image.
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, type RunCommand } from '../exec/command.ts';
import { FaultError } from '../model/errors.ts';
import { parseImageName } from '../model/image-name.ts';
import { packageFile } from './package-root.ts';
import type { BundleBuild, CreateOptions, FilesBuild, ImageRequest } from './provider.ts';

const BUILD_LIMIT_MS = 180_000;
const PULL_LIMIT_MS = 180_000;
const LIMIT_MS = 30_000;
/** On our images: the hash of what they were built from, so that what is unchanged is not built again. */
const CONTENT_LABEL = 'rollproof.dev/content';

/** Builds it unless Docker has it already, built from the same. `folder`: for the build's context, removed afterwards. */
export async function buildImage(
  run: RunCommand,
  folder: string,
  image: ImageRequest,
  build: NonNullable<ImageRequest['build']>,
  options: CreateOptions,
): Promise<void> {
  const { dockerfile, files } = contextOf(build);
  const hash = createHash('sha256').update(dockerfile);
  for (const path of Object.values(files)) hash.update(readFileSync(path));
  const content = hash.digest('hex');
  if ((await contentOf(run, image.name)) === content) return;
  options.progress(`building image ${image.name}`);
  mkdirSync(folder, { recursive: true });
  const context = mkdtempSync(join(folder, 'build-'));
  try {
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    for (const [name, path] of Object.entries(files)) copyFileSync(path, join(context, name));
    const args = ['build', '--quiet', '--label', `${CONTENT_LABEL}=${content}`, '--tag', image.name, context];
    await run('docker', args, { limitMs: BUILD_LIMIT_MS, signal: options.signal });
  } catch (error) {
    throw failureOf(`Image ${image.name} could not be built.`, error);
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

const contextOf = (build: BundleBuild | FilesBuild): FilesBuild =>
  'dockerfile' in build
    ? build
    : {
        dockerfile: dockerfileFor(readFileSync(packageFile('target/Dockerfile'), 'utf8'), build.env),
        files: { 'main.cjs': build.bundle },
      };

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
export async function imageId(run: RunCommand, image: string): Promise<string | undefined> {
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

/** By Docker rather than by the nodes, because Docker has the user's credentials. Returns the image's id. */
export async function pullImage(run: RunCommand, image: string, options: CreateOptions): Promise<string> {
  options.progress(`pulling ${image}`);
  const sentence = `Image ${image} is not in Docker and cannot be pulled. Build or pull it, or name another one.`;
  try {
    await run('docker', ['pull', '--quiet', image], { limitMs: PULL_LIMIT_MS, signal: options.signal });
  } catch (error) {
    throw failureOf(sentence, error);
  }
  const id = await imageId(run, image);
  if (id === undefined) throw new FaultError(sentence);
  return id;
}

/** Removes the images that were built here and that no container uses; returns their names. */
export async function removeOwnImages(run: RunCommand): Promise<readonly string[]> {
  const { stdout } = await run(
    'docker',
    ['image', 'ls', '--filter', `label=${CONTENT_LABEL}`, '--format', '{{.Repository}}:{{.Tag}}'],
    { limitMs: LIMIT_MS },
  );
  const names = stdout.split('\n').filter((name) => name !== '' && !name.includes('<none>'));
  const removed: string[] = [];
  for (const name of names) {
    try {
      await run('docker', ['image', 'rm', name], { limitMs: LIMIT_MS });
      removed.push(name);
    } catch (error) {
      // A container uses it.
      if (!(error instanceof CommandError)) throw error;
    }
  }
  return removed;
}

/** The name under which a node knows an image: registry, repository, tag. */
export function canonicalName(image: string): string {
  const parsed = parseImageName(image);
  if (!parsed) return image;
  const { registry, path, tag, digest } = parsed;
  return `${registry}/${path}${digest ? `@${digest}` : `:${tag ?? 'latest'}`}`;
}

/** A failed command, headed by what could not be done; other errors as they are. */
export function failureOf(sentence: string, error: unknown): unknown {
  return error instanceof CommandError
    ? new FaultError(`${sentence}\n${error.message}`, { cause: error })
    : error;
}
