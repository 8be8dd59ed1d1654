// Makes images available on the nodes: builds ours, pulls what Docker lacks, and loads what the nodes lack.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunCommand } from '../../exec/command.ts';
import { buildImage, canonicalName, failureOf, imageId, pullImage } from '../docker-image.ts';
import type { CreateOptions, ImageRequest } from '../provider.ts';

const LOAD_LIMIT_MS = 240_000;
const LIMIT_MS = 30_000;

interface ImageTarget {
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
  // One image may have several names: it is loaded once.
  const unique = [
    ...new Map(images.toReversed().map((image) => [canonicalName(image.name), image])).values(),
  ].reverse();
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
