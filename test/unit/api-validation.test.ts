// What the API server refuses of kinds that nobody acts on here: the same fields and words as Kubernetes, so that a folder
// that is taken here is taken there.
import * as assert from 'uvu/assert';
import type { KubeObject } from '../../emulator/api/objects.ts';
import { createRegistry } from '../../emulator/api/registry.ts';
import { definitionOf, groupVersion } from '../../emulator/api/resources.ts';
import { StatusError } from '../../emulator/api/types.ts';
import { suite } from '../suite.ts';

const test = suite('api validation');

function write(resource: string, fields: object, name = 'x') {
  const definition = definitionOf(resource);
  const { writes } = createRegistry({ now: () => Date.UTC(2026, 0, 1), random: () => 0.5 });
  const object = {
    apiVersion: groupVersion(definition),
    kind: definition.kind,
    metadata: { name, ...(definition.namespaced ? { namespace: 'default' } : {}) },
    ...fields,
  };
  return writes.create(definition, object as unknown as KubeObject, {});
}

/** "field: message", one per cause. */
function refusals(resource: string, fields: object, name?: string): string[] {
  try {
    write(resource, fields, name);
    return [];
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    const causes = (error.details?.causes ?? []) as { field: string; message: string }[];
    return causes.map(({ field, message }) => `${field}: ${message}`);
  }
}

const backend = { service: { name: 'web', port: { number: 80 } } };
const ingress = (path: object, host?: string) => ({
  spec: {
    rules: [
      { ...(host ? { host } : {}), http: { paths: [{ path: '/', pathType: 'Prefix', backend, ...path }] } },
    ],
  },
});
const group = 'rbac.authorization.k8s.io';
const reader = { apiGroup: group, kind: 'Role', name: 'reader' };

test('refused, with field and reason', () => {
  const rows: [resource: string, fields: object, expected: string[], name?: string][] = [
    ['ingresses', ingress({}, '*.example.com'), []],
    [
      'ingresses',
      { spec: {} },
      ['spec: Invalid value: null: either `defaultBackend` or `rules` must be specified'],
    ],
    [
      'ingresses',
      ingress({ pathType: undefined }),
      ['spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified'],
    ],
    [
      'ingresses',
      ingress({ pathType: 'Regex' }),
      [
        'spec.rules[0].http.paths[0].pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"',
      ],
    ],
    [
      'ingresses',
      ingress({ path: 'x' }),
      ['spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path'],
    ],
    [
      'ingresses',
      ingress({}, '1.2.3.4'),
      ['spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address'],
    ],
    [
      'ingresses',
      { spec: { defaultBackend: { service: { name: 'web' } } } },
      ['spec.defaultBackend: Required value: port name or number is required'],
    ],
    ['ingressclasses', { spec: {} }, ['spec.controller: Required value']],
    [
      'ingressclasses',
      { spec: { controller: 'nginx' } },
      ['spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")'],
    ],
    ['networkpolicies', { spec: { podSelector: {}, egress: [{}] } }, []],
    [
      'networkpolicies',
      { spec: { podSelector: {}, policyTypes: ['Both'] } },
      ['spec.policyTypes[0]: Unsupported value: "Both": supported values: "Egress", "Ingress"'],
    ],
    [
      'networkpolicies',
      { spec: { podSelector: {}, egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0' } }, {}] }] } },
      [
        'spec.egress[0].to[0].ipBlock.cidr: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        'spec.egress[0].to[1]: Required value: must specify a peer',
      ],
    ],
    ['roles', { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] }, [], 'system:reader'],
    [
      'roles',
      { rules: [{ apiGroups: [''], resources: ['pods'] }] },
      ['rules[0].verbs: Required value: verbs must contain at least one value'],
    ],
    [
      'roles',
      { rules: [{ nonResourceURLs: ['/metrics'], verbs: ['get'] }] },
      [
        'rules[0].nonResourceURLs: Invalid value: ["/metrics"]: namespaced rules cannot apply to non-resource URLs',
      ],
    ],
    ['clusterroles', { rules: [{ nonResourceURLs: ['/metrics'], verbs: ['get'] }] }, []],
    [
      'clusterroles',
      { rules: [{ apiGroups: [''], verbs: ['get'] }] },
      ['rules[0].resources: Required value: resource rules must supply at least one resource'],
    ],
    [
      'rolebindings',
      {
        roleRef: reader,
        subjects: [
          { kind: 'User', name: 'u' },
          { kind: 'ServiceAccount', name: 's' },
        ],
      },
      [],
    ],
    [
      'rolebindings',
      { subjects: [] },
      [
        'roleRef.apiGroup: Unsupported value: "": supported values: "rbac.authorization.k8s.io"',
        'roleRef.kind: Unsupported value: "": supported values: "Role", "ClusterRole"',
        'roleRef.name: Required value',
      ],
    ],
    [
      'rolebindings',
      { roleRef: reader, subjects: [{ kind: 'Robot', name: 'r' }] },
      ['subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"'],
    ],
    [
      'clusterrolebindings',
      { roleRef: { ...reader, kind: 'ClusterRole' }, subjects: [{ kind: 'ServiceAccount', name: 's' }] },
      ['subjects[0].namespace: Required value'],
    ],
    [
      'persistentvolumes',
      { spec: { accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } } },
      ['spec.capacity: Required value'],
    ],
    [
      'persistentvolumes',
      { spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' } } },
      ['spec: Required value: must specify a volume type'],
    ],
    ['storageclasses', { provisioner: 'example.com/disk' }, []],
    ['storageclasses', {}, ['provisioner: Required value']],
    [
      'storageclasses',
      { provisioner: 'p', volumeBindingMode: 'Later' },
      [
        'volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"',
      ],
    ],
    [
      'priorityclasses',
      { value: 2_000_000_000 },
      ['value: Forbidden: maximum allowed value of a user defined priority is 1000000000'],
    ],
    [
      'priorityclasses',
      { value: 1 },
      [
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class",
      ],
      'system-mine',
    ],
    [
      'resourcequotas',
      { spec: { hard: { pods: '-1' } } },
      ['spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0'],
    ],
    [
      'limitranges',
      { spec: { limits: [{ type: 'Container', min: { cpu: '2' }, max: { cpu: '1' } }] } },
      ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'],
    ],
    [
      'endpoints',
      { subsets: [{ addresses: [{ ip: 'here' }], ports: [{ port: 80 }] }] },
      [
        'subsets[0].addresses[0].ip: Invalid value: "here": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      ],
    ],
    [
      'secrets',
      { type: 'kubernetes.io/tls', data: {} },
      ['data[tls.crt]: Required value', 'data[tls.key]: Required value'],
    ],
    [
      'secrets',
      { type: 'kubernetes.io/dockerconfigjson', data: {} },
      ['data[.dockerconfigjson]: Required value'],
    ],
    [
      'secrets',
      { type: 'kubernetes.io/basic-auth', data: {} },
      ['data[username]: Required value', 'data[password]: Required value'],
    ],
    [
      'configmaps',
      { data: { big: 'x'.repeat(1_048_577) } },
      [': Too long: may not be more than 1048576 bytes'],
    ],
    [
      'endpoints',
      { subsets: [{ addresses: [{}] }] },
      [
        'subsets[0].addresses[0].ip: Invalid value: "": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      ],
    ],
    // What is counted is the data, not the longer text that it travels as.
    ['configmaps', { binaryData: { big: Buffer.alloc(1_000_000).toString('base64') } }, []],
    [
      'services',
      { spec: { externalTrafficPolicy: 'Local', externalIPs: ['192.0.2.1'], ports: [{ port: 80 }] } },
      [
        'spec.externalIPs: Forbidden: Unsupported by the emulated cluster: it has no network of its own; run this on a real cluster (--cluster kind)',
      ],
    ],
    [
      'services',
      { spec: { externalTrafficPolicy: 'Local', ports: [{ port: 80 }] } },
      [
        'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
      ],
    ],
  ];
  for (const [resource, fields, expected, name] of rows) {
    assert.equal(
      refusals(resource, fields, name),
      expected,
      `${resource} ${JSON.stringify(fields).slice(0, 200)}`,
    );
  }
});

test('refused of pods', () => {
  const rows: [spec: object, container: object, expected: string[]][] = [
    [
      { dnsPolicy: 'None' },
      {},
      ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
    ],
    [
      { os: { name: 'beos' } },
      {},
      ['spec.os.name: Unsupported value: "beos": supported values: "linux", "windows"'],
    ],
    [
      { securityContext: { seccompProfile: { type: 'Strict' } } },
      {},
      [
        'spec.securityContext.seccompProfile.type: Unsupported value: "Strict": supported values: "Localhost", "RuntimeDefault", "Unconfined"',
      ],
    ],
    [
      { volumes: [{ name: 'v' }] },
      { volumeMounts: [{ name: 'v', mountPath: '/v', subPath: '../up' }] },
      [`spec.containers[0].volumeMounts[0].subPath: Invalid value: "../up": must not contain '..'`],
    ],
    [
      { volumes: [{ name: 'v' }] },
      { volumeMounts: [{ name: 'v', mountPath: '/v', subPathExpr: '/up' }] },
      ['spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: "/up": must be a relative path'],
    ],
  ];
  for (const [spec, container, expected] of rows) {
    const containers = [{ name: 'app', image: 'web:1', ...container }];
    assert.equal(refusals('pods', { spec: { ...spec, containers } }), expected, JSON.stringify(spec));
  }
});

test('settings of the kernel are refused by name, in a template, too', () => {
  const spec = {
    securityContext: { sysctls: [{ name: 'net.core.somaxconn', value: '1024' }] },
    containers: [{ name: 'app', image: 'web:1' }],
  };
  const refused =
    "securityContext.sysctls: Forbidden: Unsupported by the emulated cluster: the kernel's settings are this machine's own; run this on a real cluster (--cluster kind)";
  assert.equal(refusals('pods', { spec }), [`spec.${refused}`]);
  const template = { metadata: { labels: { a: 'b' } }, spec };
  assert.equal(refusals('deployments', { spec: { selector: { matchLabels: { a: 'b' } }, template } }), [
    `spec.template.spec.${refused}`,
  ]);
});

test('filled in', () => {
  assert.equal(
    write('networkpolicies', { spec: { podSelector: {}, egress: [{ ports: [{ port: 53 }] }] } }).spec,
    {
      podSelector: {},
      egress: [{ ports: [{ port: 53, protocol: 'TCP' }] }],
      policyTypes: ['Ingress', 'Egress'],
    },
  );
  const subjects = [
    { kind: 'User', name: 'u' },
    { kind: 'ServiceAccount', name: 's' },
  ];
  const binding = write('rolebindings', { roleRef: { kind: 'Role', name: 'r' }, subjects });
  assert.equal(binding.roleRef, { apiGroup: group, kind: 'Role', name: 'r' });
  assert.equal(binding.subjects, [
    { apiGroup: group, kind: 'User', name: 'u' },
    { kind: 'ServiceAccount', name: 's' },
  ]);
});

test('a negative grace period is stored as one second, when the pod is made and when it changes', () => {
  const registry = createRegistry({ now: () => Date.UTC(2026, 0, 1), random: () => 0.5 });
  const containers = [{ name: 'app', image: 'web:1' }];
  const seconds = (pod: { spec?: { terminationGracePeriodSeconds?: number } } | undefined) =>
    pod?.spec?.terminationGracePeriodSeconds;
  const pod = registry.create('pods', {
    metadata: { name: 'p' },
    spec: { terminationGracePeriodSeconds: -1, containers },
  });
  assert.is(seconds(pod), 1);
  const changed = registry.mutate('pods', 'default', 'p', (draft) => {
    draft.spec!.terminationGracePeriodSeconds = -3;
  });
  assert.is(seconds(changed), 1);
});

test('a Secret that says immutable stays so', () => {
  const registry = createRegistry({ now: () => Date.UTC(2026, 0, 1), random: () => 0.5 });
  registry.create('secrets', { metadata: { name: 's' }, immutable: true });
  assert.throws(
    () =>
      registry.mutate('secrets', 'default', 's', (draft) => {
        draft.immutable = false;
      }),
    /immutable: Forbidden: field is immutable when `immutable` is set/,
  );
});

test.run();
