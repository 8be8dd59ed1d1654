// What an image name runs: the embedded cluster has no containers, an image is a local command.

export interface LocalImage {
  /** Program and arguments, as an image's entrypoint; a manifest's `args` are appended, its `command` replaces it. */
  readonly command: readonly string[];
  /** Files that the image has besides this machine's: path in the container → path of this machine. */
  readonly files?: Readonly<Record<string, string>>;
  /** As CMD of an image with an entrypoint: what `args` of a manifest replace. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  /** As STOPSIGNAL in a Dockerfile; SIGTERM when not given. */
  readonly stopSignal?: NodeJS.Signals;
}

/** By full name, or a function that knows. */
export type ImageSource = ReadonlyMap<string, LocalImage> | ((image: string) => LocalImage | undefined);

/** What a pull of an image that is not there says, and how long it takes. The registry is part of the surroundings. */
export interface PullFailure {
  readonly message: string;
  /** Undefined: as the latency model says. */
  readonly afterMs?: number;
}

export class Images {
  private readonly sources: ImageSource[];
  private readonly added = new Map<string, LocalImage>();
  private readonly failure: ((image: string) => PullFailure) | undefined;

  constructor(sources: readonly ImageSource[], failure?: (image: string) => PullFailure) {
    this.sources = [...sources];
    this.failure = failure;
  }

  add(image: string, local: LocalImage): void {
    this.added.set(fullImageName(image), local);
  }

  find(image: string): LocalImage | undefined {
    const name = fullImageName(image);
    const added = this.added.get(name);
    if (added) return added;
    for (const source of this.sources) {
      const found = typeof source === 'function' ? source(image) : inMap(source, name);
      if (found) return found;
    }
    return undefined;
  }

  /** containerd's words for an image that the registry does not have. */
  pullFailure(image: string): PullFailure {
    if (this.failure) return this.failure(image);
    const name = fullImageName(image);
    return {
      message: `failed to pull and unpack image "${name}": failed to resolve reference "${name}": ${name}: not found`,
    };
  }
}

function inMap(source: ReadonlyMap<string, LocalImage>, name: string): LocalImage | undefined {
  for (const [key, image] of source) if (fullImageName(key) === name) return image;
  return undefined;
}

/** "nginx" → "docker.io/library/nginx:latest", as containerd completes it. */
export function fullImageName(image: string): string {
  const [first = '', ...rest] = image.split('/');
  const hasHost = rest.length > 0 && (first.includes('.') || first.includes(':') || first === 'localhost');
  let name = hasHost ? image : `docker.io/${rest.length === 0 ? 'library/' : ''}${image}`;
  const last = name.slice(name.lastIndexOf('/') + 1);
  if (!last.includes(':') && !last.includes('@')) name += ':latest';
  return name;
}
