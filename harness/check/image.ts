// Image references, and what is known about images that have no shell.
export interface ImageReference {
  /** Repository with its registry, as written. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** `registry:5000/team/app:1.2@sha256:…`; undefined when a variable, or a reference of a build tool (ko://, auto), stands there. */
export function parseImage(image: string): ImageReference | undefined {
  if (/[{}$<>\s]|:\/\//.test(image) || image === '' || image === 'auto') return undefined;
  const [name = '', digest] = image.split('@', 2);
  const lastPart = name.slice(name.lastIndexOf('/') + 1);
  const colon = lastPart.indexOf(':');
  if (colon === -1) return { repository: name, tag: undefined, digest };
  return {
    repository: name.slice(0, name.length - lastPart.length + colon),
    tag: lastPart.slice(colon + 1),
    digest,
  };
}

/**
 * Why an image has no shell at all; undefined when that is not known. Sources: the projects' own Dockerfiles
 * (FROM scratch, gcr.io/distroless/static, cgr.dev/chainguard/static).
 */
export function withoutShell(image: string): string | undefined {
  const reference = parseImage(image);
  if (!reference) return undefined;
  const { repository, tag = '' } = reference;
  const short = repository.replace(/^(docker\.io\/)?(library\/)?/, '');
  if (/debug|busybox|alpine|-dev$|shell/.test(tag)) return undefined;
  if (/(^|[/-])distroless([/-]|$)/.test(repository) || /(^|-)distroless(-|$)/.test(tag))
    return 'it is a distroless image';
  if (/(^|[/-])scratch$/.test(repository) || /(^|-)scratch$/.test(tag)) return 'it is built from scratch';
  if (
    /^cgr\.dev\/chainguard\//.test(repository) &&
    !/\/(bash|busybox|wolfi-base|git|maven|gradle)$/.test(repository)
  )
    return 'it is a Chainguard image, and only those tagged -dev have a shell';
  if (/(^|\/)static(-debian\d+)?$/.test(repository)) return 'it is a static image';
  const known = shellLess.find((pattern) => pattern.test(short));
  return known ? 'its Dockerfile starts from an image without a shell' : undefined;
}

const shellLess: readonly RegExp[] = [
  /^(registry\.k8s\.io|k8s\.gcr\.io)\/(pause|coredns\/coredns|coredns|metrics-server\/metrics-server|external-dns\/external-dns|kube-(apiserver|controller-manager|scheduler)|kube-state-metrics\/kube-state-metrics|autoscaling\/cluster-autoscaler)$/,
  /^registry\.k8s\.io\/(sig-storage\/(csi-[\w-]+|livenessprobe|snapshot-controller)|descheduler\/descheduler|node-problem-detector\/node-problem-detector|prometheus-adapter\/prometheus-adapter)$/,
  /^(cr\.l5d\.io|ghcr\.io)\/linkerd\/(proxy|controller|policy-controller|metrics-api|tap|web)$/,
  /^(quay\.io\/brancz|gcr\.io\/kubebuilder|quay\.io\/kubebuilder)\/kube-rbac-proxy$/,
  /^(quay\.io\/oauth2-proxy\/oauth2-proxy|cloudflare\/cloudflared|fluent\/fluent-bit|cr\.fluentbit\.io\/fluent\/fluent-bit|grafana\/(tempo|alloy-distroless))$/,
  /^(ghcr\.io\/open-telemetry\/opentelemetry-collector-releases|otel)\/opentelemetry-collector[\w-]*$/,
  /^coredns\/coredns$/,
  /^quay\.io\/jetstack\/cert-manager-(controller|webhook|cainjector|acmesolver|ctl)$/,
  /^(hashicorp\/http-echo|traefik\/whoami|containous\/whoami|hello-world)$/,
  /^(ghcr\.io\/)?(kedacore\/keda|kedacore\/keda-metrics-apiserver|kedacore\/keda-admission-webhooks)$/,
];

/** True when an image is known to have /bin/sh (busybox) and no bash. */
export function withoutBash(image: string): boolean {
  const reference = parseImage(image);
  if (!reference) return false;
  const short = reference.repository.replace(/^(docker\.io\/)?(library\/)?/, '');
  return /^(busybox|alpine)$/.test(short) || /(^|-)alpine(\d|[.-]|$)/.test(reference.tag ?? '');
}
