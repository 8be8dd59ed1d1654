// The fields of a workload's parts in Kubernetes 1.34, and what was meant by a name that is none of them. A field that is
// misspelt, or that stands in the wrong part, is refused by kubectl and left out by Helm: the setting is not there.

const probe = [
  ...['exec', 'grpc', 'httpGet', 'tcpSocket'],
  ...['failureThreshold', 'initialDelaySeconds', 'periodSeconds', 'successThreshold', 'timeoutSeconds'],
  'terminationGracePeriodSeconds',
];
const template = ['minReadySeconds', 'revisionHistoryLimit', 'selector', 'template'];

/** Of each part of a workload. */
export const knownFields = {
  Deployment: [...template, 'paused', 'progressDeadlineSeconds', 'replicas', 'strategy'],
  StatefulSet: [
    ...[...template, 'ordinals', 'persistentVolumeClaimRetentionPolicy', 'podManagementPolicy'],
    ...['replicas', 'serviceName', 'updateStrategy', 'volumeClaimTemplates'],
  ],
  DaemonSet: [...template, 'updateStrategy'],
  strategy: ['rollingUpdate', 'type'],
  rollingUpdate: ['maxSurge', 'maxUnavailable', 'partition'],
  pod: [
    ...[
      'activeDeadlineSeconds',
      'affinity',
      'automountServiceAccountToken',
      'containers',
      'dnsConfig',
      'dnsPolicy',
    ],
    ...[
      'enableServiceLinks',
      'ephemeralContainers',
      'hostAliases',
      'hostIPC',
      'hostNetwork',
      'hostPID',
      'hostUsers',
    ],
    ...[
      'hostname',
      'hostnameOverride',
      'imagePullSecrets',
      'initContainers',
      'nodeName',
      'nodeSelector',
      'os',
    ],
    ...['overhead', 'preemptionPolicy', 'priority', 'priorityClassName', 'readinessGates', 'resourceClaims'],
    ...[
      'resources',
      'restartPolicy',
      'runtimeClassName',
      'schedulerName',
      'schedulingGates',
      'securityContext',
    ],
    ...['serviceAccount', 'serviceAccountName', 'setHostnameAsFQDN', 'shareProcessNamespace', 'subdomain'],
    ...['terminationGracePeriodSeconds', 'tolerations', 'topologySpreadConstraints', 'volumes'],
  ],
  container: [
    ...[
      'args',
      'command',
      'env',
      'envFrom',
      'image',
      'imagePullPolicy',
      'lifecycle',
      'livenessProbe',
      'name',
    ],
    ...['ports', 'readinessProbe', 'resizePolicy', 'resources', 'restartPolicy', 'restartPolicyRules'],
    ...['securityContext', 'startupProbe', 'stdin', 'stdinOnce', 'terminationMessagePath'],
    ...['terminationMessagePolicy', 'tty', 'volumeDevices', 'volumeMounts', 'workingDir'],
  ],
  probe,
  lifecycle: ['postStart', 'preStop', 'stopSignal'],
  handler: ['exec', 'httpGet', 'sleep', 'tcpSocket'],
} as const satisfies Record<string, readonly string[]>;

export type Part = keyof typeof knownFields;

const places: Readonly<Partial<Record<Part, string>>> = {
  strategy: 'the strategy',
  pod: 'the pod’s spec (template.spec)',
  container: 'a container',
  lifecycle: 'lifecycle',
};

/** The end of a sentence about a field of this part; undefined: it is known, or nobody can tell what it is. */
export function meantBy(part: Part, name: string): string | undefined {
  const own: readonly string[] = knownFields[part];
  if (own.includes(name)) return undefined;
  const similar = own.find((one) => isSimilar(one, name));
  if (similar !== undefined) return `${similar} is meant`;
  // Names that several parts have (resources, exec) say nothing of where they belong.
  const others = Object.entries(places).filter(([other]) =>
    (knownFields[other as Part] as readonly string[]).includes(name),
  );
  const [only] = others;
  return only && others.length === 1 ? `it belongs into ${only[1]}` : undefined;
}

const MOST_EDITS = 2;
const SHORTEST = 5;

/** Other capitals, or a letter or two too many, too few or others. */
function isSimilar(known: string, name: string): boolean {
  const [a, b] = [known.toLowerCase(), name.toLowerCase()];
  if (a === b) return true;
  if (b.length < SHORTEST || Math.abs(a.length - b.length) > MOST_EDITS) return false;
  return editsBetween(a, b) <= MOST_EDITS;
}

/** Levenshtein's distance. */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
