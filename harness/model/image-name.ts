// Names of one image. Kubernetes begins a rollout when the text of an image's name changes, and pulls nothing new when the
// other text names the same image: that is all that an image change of the built-in target needs. Pure.

/** As far as names are told apart here: https://pkg.go.dev/github.com/distribution/reference. */
const form =
  /^(?:(?<registry>localhost|[\w-]+(?:\.[\w-]+)*(?::\d+)?)\/)?(?<path>[a-z0-9._/-]+?)(?::(?<tag>[\w][\w.-]{0,127}))?(?:@(?<digest>sha256:[a-f0-9]+))?$/;

interface ImageName {
  /** As it stands for; docker.io when none is given. */
  readonly registry: string;
  /** docker.io's own images are below library/. */
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** Undefined: not the name of an image. */
export function parseImageName(name: string): ImageName | undefined {
  const first = name.split('/', 1)[0] ?? '';
  const named = name.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  const groups = form.exec(named ? name : `docker.io/${name}`)?.groups;
  if (!groups?.path) return undefined;
  const registry = groups.registry === 'index.docker.io' ? 'docker.io' : (groups.registry ?? 'docker.io');
  const path =
    registry === 'docker.io' && !groups.path.includes('/') ? `library/${groups.path}` : groups.path;
  return { registry, path, tag: groups.tag, digest: groups.digest };
}

/**
 * The name itself and others for the same image, the given one first.
 * - With a digest the tag in front of it counts for nothing: as many names as anybody wants (four here).
 * - An image of Docker Hub may be written with and without its registry (docker.io, index.docker.io) and library/.
 * - Any other image by tag has one name.
 */
export function namesOfImage(name: string): readonly string[] {
  const parsed = parseImageName(name);
  if (!parsed) return [name];
  const { registry, path, tag, digest } = parsed;
  if (digest) {
    const tags = ['', ':next', ':third', ':previous'];
    return unique([name, ...tags.map((one) => `${registry}/${path}${one}@${digest}`)]);
  }
  if (registry !== 'docker.io') return [name];
  const suffix = `:${tag ?? 'latest'}`;
  const short = path.replace(/^library\//, '');
  return unique([
    name,
    `docker.io/${path}${suffix}`,
    `index.docker.io/${path}${suffix}`,
    `${path}${suffix}`,
    `docker.io/${short}${suffix}`,
    `${short}${suffix}`,
  ]);
}

const unique = (names: readonly string[]): readonly string[] => [...new Set(names)];
