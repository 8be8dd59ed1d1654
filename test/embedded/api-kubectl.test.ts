// The unmodified kubectl on the API server: what it prints and how it exits.
import { connect } from 'node:net';
import * as assert from 'uvu/assert';
import { type ApiCluster, addNode, addPod, findKubectl, rollOut, startApi, until } from '../api-cluster.ts';
import { suite } from '../suite.ts';

const kubectl = findKubectl();
const test = suite('kubectl', {
  timeoutMs: 60_000,
  skip: kubectl ? undefined : 'there is no kubectl on the PATH',
});

/** One command: arguments, exit code, what is in its output, what it does first. */
interface Row {
  args: string;
  code?: number;
  has?: (string | RegExp)[];
  hasNot?: (string | RegExp)[];
  input?: string;
  before?: (cluster: ApiCluster) => void;
}

async function play(cluster: ApiCluster, rows: readonly Row[]): Promise<void> {
  for (const { args, code = 0, has = [], hasNot = [], input, before } of rows) {
    before?.(cluster);
    const result = await cluster.kubectl(split(args), input);
    const text = `${result.stdout}${result.stderr}`;
    const shown = `kubectl ${args}\nexit ${result.code}\n${text}`;
    assert.is(result.code, code, shown);
    for (const part of has) assert.ok(contains(text, part), `${shown}\nlacks ${part}`);
    for (const part of hasNot) assert.not(contains(text, part), `${shown}\nhas ${part}`);
  }
}

/** Words; single quotes hold one together. */
function split(args: string): string[] {
  return [...args.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '');
}

/** The width of columns is not compared where the part is plain text. */
function contains(text: string, part: string | RegExp): boolean {
  return typeof part === 'string' ? fold(text).includes(fold(part)) : part.test(text);
}

const fold = (text: string) => text.replace(/ +/g, ' ');

const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: app
        image: web:1
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}}
        resources: {requests: {cpu: 500m, memory: 64Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
`;

test('what it is and what it has', async () => {
  await using cluster = await startApi();
  await play(cluster, [
    { args: 'version', has: ['Server Version: v1.34.4+rollproof.emulated'] },
    {
      args: 'api-resources',
      has: [/deployments +deploy +apps\/v1 +true +Deployment/, 'poddisruptionbudgets'],
    },
    { args: 'api-versions', has: ['apps/v1', 'autoscaling/v1', 'autoscaling/v2', 'metrics.k8s.io/v1beta1'] },
    { args: 'get ns', has: [/default +Active/, /kube-system +Active/] },
    { args: 'get --raw /healthz', has: ['ok'] },
    { args: 'auth can-i create pods', has: ['yes'] },
    { args: 'explain deployment.spec.strategy', has: ['KIND:       Deployment', 'rollingUpdate', 'type'] },
    { args: 'explain pod.spec.containers.readinessProbe', has: ['periodSeconds\t<integer>'] },
    { args: 'get foo', code: 1, has: [`error: the server doesn't have a resource type "foo"`] },
    { args: 'get deploy', has: ['No resources found in default namespace.'] },
    {
      args: 'get deploy nope',
      code: 1,
      has: ['Error from server (NotFound): deployments.apps "nope" not found'],
    },
    { args: 'cluster-info', has: ['Kubernetes control plane', 'is running at'] },
  ]);
});

test('get: table, wide, yaml, json, jsonpath, custom columns, labels, chunks', async () => {
  await using cluster = await startApi();
  addNode(cluster.registry, 'node1');
  await play(cluster, [
    { args: 'apply -f -', input: manifest, has: ['deployment.apps/web created', 'service/web created'] },
    {
      args: 'get deploy',
      before: ({ registry }) => rollOut(registry, 'web'),
      has: [/NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +2\/2 +2 +2 +\d+s/],
      hasNot: ['IMAGES'],
    },
    { args: 'get deploy -o wide', has: [/CONTAINERS +IMAGES +SELECTOR/, /app +web:1 +app=web/] },
    {
      args: 'get all',
      has: ['pod/web-hash1-0', 'service/web', 'deployment.apps/web', 'replicaset.apps/web-hash1'],
    },
    { args: 'get pods -o wide', has: [/web-hash1-0 +1\/1 +Running +0 +\d+s +127\.1\.2\.3 +node1/] },
    { args: 'get rs', has: [/DESIRED +CURRENT +READY/, /web-hash1 +2 +2 +2/] },
    { args: 'get nodes -o wide', has: [/node1 +Ready +<none> .* v1\.34\.4 +127\.0\.0\.1/] },
    {
      args: 'get endpoints',
      has: ['Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
    },
    { args: 'get svc', has: [/web +ClusterIP +10\.96\.\d+\.\d+ +<none> +80\/TCP/] },
    {
      args: 'get deploy web -o yaml',
      has: ['maxSurge: 25%', 'progressDeadlineSeconds: 600', 'availableReplicas: 2'],
    },
    { args: 'get deploy web -o json', has: ['"apiVersion": "apps/v1"', '"kind": "Deployment"'] },
    { args: 'get deploy web -o jsonpath={.spec.replicas}', has: [/^2$/] },
    {
      args: 'get pods -o custom-columns=N:.metadata.name,I:.spec.containers[0].image',
      has: [/web-hash1-1 +web:1/],
    },
    { args: 'get pods -l app=web -o name', has: ['pod/web-hash1-0\npod/web-hash1-1\n'] },
    { args: 'get pods -l app!=web', has: ['No resources found'] },
    { args: 'get pods -l app?web', code: 1, has: ['unable to parse requirement'] },
    { args: 'get pods --field-selector status.phase=Running -o name', has: ['pod/web-hash1-1'] },
    { args: 'get pods --field-selector foo=bar', code: 1, has: ['field label not supported: foo'] },
    { args: 'get pods --show-labels', has: ['app=web,pod-template-hash=hash1'] },
    { args: 'get pods -A --chunk-size=1', has: ['web-hash1-0', 'web-hash1-1'] },
    { args: 'get pods --sort-by=.metadata.name', has: [/web-hash1-0 .*\nweb-hash1-1 /] },
    { args: 'get deploy web --subresource=scale', has: [/NAME +DESIRED +AVAILABLE +AGE\nweb +2 +2/] },
    { args: 'get pods nope', code: 1, has: ['Error from server (NotFound): pods "nope" not found'] },
    { args: 'get pods -n nope nope', code: 1, has: ['namespaces "nope" not found'] },
  ]);
});

test('get -w follows one object and a table', async () => {
  await using cluster = await startApi();
  await cluster.kubectl(['create', 'deployment', 'web', '--image=web:1']);
  const table = cluster.startKubectl(['get', 'deploy', '-w']);
  const single = cluster.startKubectl(['get', 'deploy', 'web', '-w', '-o', 'name']);
  await until('the first row', () => /web +0\/1/.test(table.output()), table.output);
  await until('the object', () => single.output().includes('deployment.apps/web'), single.output);
  cluster.registry.mutate('deployments', 'default', 'web', (draft) => {
    draft.spec!.replicas = 7;
  });
  await until('the changed row', () => /web +0\/7/.test(table.output()), table.output);
  await until(
    'the change',
    () => (single.output().match(/deployment.apps\/web/g) ?? []).length === 2,
    single.output,
  );
});

test('describe', async () => {
  await using cluster = await startApi();
  addNode(cluster.registry, 'node1');
  await play(cluster, [
    { args: 'apply -f -', input: manifest },
    {
      args: 'describe deploy web',
      before: ({ registry }) => rollOut(registry, 'web'),
      has: [
        'Replicas:               2 desired | 2 updated | 2 total | 2 available | 0 unavailable',
        'NewReplicaSet:   web-hash1 (2/2 replicas created)',
        /Readiness: +http-get http:\/\/:8080\/healthz delay=0s timeout=1s period=10s #success=1 #failure=3/,
        'Scaled up replica set web-hash1 from 0 to 2',
      ],
    },
    {
      args: 'describe pod web-hash1-0',
      has: ['Node:             node1/127.0.0.1', 'Controlled By:  ReplicaSet/web-hash1'],
    },
    {
      args: 'describe svc web',
      has: ['Port:                     <unset>  80/TCP', 'TargetPort:               8080/TCP'],
    },
    { args: 'describe node node1', has: ['Non-terminated Pods:          (2 in total)', 'KubeletReady'] },
    { args: 'events', has: ['ScalingReplicaSet'] },
    { args: 'events --for deploy/web', has: ['Deployment/web'] },
    { args: 'get events', has: [/Normal +ScalingReplicaSet +deployment\/web/] },
  ]);
});

test('create writes protobuf for these kinds', async () => {
  await using cluster = await startApi();
  await play(cluster, [
    { args: 'create ns shop', has: ['namespace/shop created'] },
    {
      args: 'create deployment web --image=web:1 --replicas=0 --port=80',
      has: ['deployment.apps/web created'],
    },
    {
      args: 'get deploy web -o jsonpath={.spec.replicas},{.spec.template.spec.containers[0].ports[0].containerPort}',
      has: [/^0,80$/],
    },
    { args: 'create configmap c --from-literal=a=1 --from-literal=b=', has: ['configmap/c created'] },
    { args: 'get cm c -o jsonpath={.data}', has: ['{"a":"1","b":""}'] },
    { args: 'create secret generic s --from-literal=a=1', has: ['secret/s created'] },
    { args: 'get secret s -o jsonpath={.data.a}', has: ['MQ=='] },
    { args: 'create service clusterip web --tcp=80:8080', has: ['service/web created'] },
    { args: 'get svc web -o jsonpath={.spec.ports[0].targetPort}', has: [/^8080$/] },
    { args: 'create service clusterip headless --clusterip=None', has: ['service/headless created'] },
    { args: 'create job j --image=web:1 -- run this', has: ['job.batch/j created'] },
    { args: 'get job j -o jsonpath={.spec.template.spec.containers[0].command}', has: ['["run","this"]'] },
    { args: 'create sa robot', has: ['serviceaccount/robot created'] },
    {
      args: 'create pdb b --selector=app=web --min-available=1',
      has: ['poddisruptionbudget.policy/b created'],
    },
    { args: 'get pdb', has: [/b +1 +N\/A +0/] },
    {
      args: 'autoscale deployment web --min=1 --max=5 --cpu-percent=50',
      has: ['horizontalpodautoscaler.autoscaling/web autoscaled'],
    },
    { args: 'get hpa', has: [/web +Deployment\/web +cpu: <unknown>\/50% +1 +5 +0/] },
    { args: 'run p --image=web:1', has: ['pod/p created'] },
    { args: 'expose deployment web --name=other --port=80', has: ['service/other exposed'] },
    { args: 'create deployment web --image=x', code: 1, has: ['deployments.apps "web" already exists'] },
    { args: 'create deployment x --image=x -n nope', code: 1, has: ['namespaces "nope" not found'] },
    { args: 'create role r --verb=get --resource=pods', has: ['role.rbac.authorization.k8s.io/r created'] },
  ]);
});

test('apply: create, unchanged, configure, dry runs, diff, strict fields', async () => {
  await using cluster = await startApi();
  const changed = manifest.replace('replicas: 2', 'replicas: 3');
  await play(cluster, [
    {
      args: 'apply -f - --dry-run=server',
      input: manifest,
      has: ['deployment.apps/web created (server dry run)'],
    },
    { args: 'get deploy web', code: 1 },
    { args: 'apply -f -', input: manifest, has: ['deployment.apps/web created'] },
    { args: 'apply -f -', input: manifest, has: ['deployment.apps/web unchanged', 'service/web unchanged'] },
    { args: 'diff -f -', input: manifest },
    { args: 'diff -f -', input: changed, code: 1, has: ['-  replicas: 2', '+  replicas: 3'] },
    { args: 'apply -f -', input: changed, has: ['deployment.apps/web configured', 'service/web unchanged'] },
    { args: 'get deploy web -o jsonpath={.spec.replicas},{.metadata.generation}', has: [/^3,2$/] },
    { args: 'replace -f -', input: manifest, has: ['deployment.apps/web replaced'] },
    {
      args: 'apply -f -',
      input: manifest.replace('replicas: 2', 'replica: 2'),
      code: 1,
      has: ['strict decoding error: unknown field "spec.replica"'],
    },
    {
      args: 'apply -f -',
      input: manifest.replaceAll('app: web', 'app: other'),
      code: 1,
      has: ['spec.selector: Invalid value: {"matchLabels":{"app":"other"}}: field is immutable'],
    },
    {
      args: 'apply -f -',
      input: 'apiVersion: example.com/v1\nkind: Database\nmetadata: {name: db}\n',
      code: 1,
      has: ['no matches for kind "Database" in version "example.com/v1"'],
    },
    { args: 'delete -f -', input: manifest, has: ['deployment.apps "web" deleted', 'service "web" deleted'] },
  ]);
});

test('apply --server-side: owners, conflicts, force, after a client-side apply', async () => {
  await using cluster = await startApi();
  const changed = manifest.replace('replicas: 2', 'replicas: 3');
  await play(cluster, [
    { args: 'apply --server-side -f -', input: manifest, has: ['deployment.apps/web serverside-applied'] },
    { args: 'apply --server-side -f -', input: changed, has: ['serverside-applied'] },
    { args: 'get deploy web -o jsonpath={.spec.replicas}', has: [/^3$/] },
    { args: 'scale deploy web --replicas=5' },
    {
      args: 'apply --server-side -f -',
      input: changed,
      code: 1,
      has: [
        'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas',
      ],
    },
    { args: 'apply --server-side --force-conflicts -f -', input: changed, has: ['serverside-applied'] },
    { args: 'get deploy web -o jsonpath={.spec.replicas}', has: [/^3$/] },
    {
      args: 'apply --server-side -f -',
      input: changed.replace('replicas: 3', 'replica: 3'),
      code: 1,
      has: ['.spec.replica: field not declared in schema'],
    },
    { args: 'create ns other' },
    { args: 'apply -n other -f -', input: manifest, has: ['deployment.apps/web created'] },
    { args: 'apply --server-side -n other -f -', input: changed, has: ['serverside-applied'] },
    { args: 'get deploy web -n other -o jsonpath={.spec.replicas}', has: [/^3$/] },
    { args: 'diff --server-side -f -', input: manifest, code: 1, has: ['-  replicas: 3', '+  replicas: 2'] },
  ]);
});

test('what Kubernetes refuses is refused with all its causes; what the emulation lacks by name', async () => {
  await using cluster = await startApi();
  const bad = manifest
    .replace('replicas: 2', 'replicas: -1')
    .replace('image: web:1', 'image: ""')
    .replace('containerPort: 8080', 'containerPort: 80800');
  await play(cluster, [
    {
      args: 'create -f -',
      input: bad,
      code: 1,
      has: [
        'The Deployment "web" is invalid: ',
        '* spec.replicas: Invalid value: -1: must be greater than or equal to 0',
        '* spec.template.spec.containers[0].image: Required value',
        '* spec.template.spec.containers[0].ports[0].containerPort: Invalid value: 80800: must be between 1 and 65535, inclusive',
      ],
    },
    {
      args: 'create -f -',
      input: manifest.replace(
        '    spec:\n      containers:',
        '    spec:\n      volumes: [{name: d, nfs: {server: s, path: /d}}]\n      containers:',
      ),
      code: 1,
      has: ['spec.template.spec.volumes[0].nfs: Forbidden: Unsupported by the emulated cluster'],
    },
    { args: 'create service loadbalancer n --tcp=80', has: ['service/n created'] },
    {
      args: 'get service n -o jsonpath={.spec.allocateLoadBalancerNodePorts},{.spec.externalTrafficPolicy}',
      has: ['true,Cluster'],
    },
    { args: 'get service n', has: ['LoadBalancer', '<pending>', /80:3\d{4}\/TCP/] },
    {
      args: 'create service externalname n2 --external-name=example.test',
      code: 1,
      has: ['spec.type: Forbidden: Unsupported by the emulated cluster: ExternalName'],
    },
  ]);
});

test('kinds of Kubernetes that are not emulated are refused by name; lists of them are empty', async () => {
  await using cluster = await startApi();
  const crd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: databases.example.com}
spec: {group: example.com, scope: Namespaced, names: {kind: Database, plural: databases}, versions: []}
`;
  const refusal =
    'CustomResourceDefinition "databases.example.com" (apiextensions.k8s.io/v1) is unsupported by the emulated cluster: it has Kubernetes\' own kinds and no others';
  await play(cluster, [
    { args: 'get crd', has: ['No resources found'] },
    {
      args: 'get --raw /api/v1/nodes/node1/proxy/pods',
      code: 1,
      has: ['nodes/proxy is unsupported by the emulated cluster: its kubelets have no API of their own'],
    },
    {
      args: 'get crds nope',
      code: 1,
      has: ['customresourcedefinitions.apiextensions.k8s.io "nope" not found'],
    },
    { args: 'apply -f -', input: crd, code: 1, has: ['NotImplemented', refusal] },
    { args: 'apply --server-side -f -', input: crd, code: 1, has: [refusal] },
    { args: 'create -f -', input: crd, code: 1, has: [refusal] },
    {
      args: 'apply -f -',
      input: `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hooks}
webhooks: []
`,
      code: 1,
      has: [
        'ValidatingWebhookConfiguration "hooks" (admissionregistration.k8s.io/v1) is unsupported by the emulated cluster',
      ],
    },
    {
      args: 'apply -f -',
      input: `
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: gvisor}
handler: gvisor
`,
      code: 1,
      has: [
        'RuntimeClass "gvisor" (node.k8s.io/v1) is unsupported by the emulated cluster: it has no container runtime',
      ],
    },
  ]);
});

test('roles and their bindings may have colons in their names', async () => {
  await using cluster = await startApi();
  await play(cluster, [
    {
      args: 'create clusterrole system:web:reader --verb=get --resource=pods',
      has: ['system:web:reader created'],
    },
    { args: 'create clusterrolebinding a:b --clusterrole=system:web:reader --user=u', has: ['a:b created'] },
    { args: 'create role web:x --verb=get --resource=pods', has: ['web:x created'] },
    { args: 'create rolebinding web:x --role=web:x --user=u', has: ['web:x created'] },
    {
      args: 'get clusterrole system:web:reader -o name',
      has: ['clusterrole.rbac.authorization.k8s.io/system:web:reader'],
    },
    {
      args: 'create role a%b --verb=get --resource=pods',
      code: 1,
      has: [`metadata.name: Invalid value: "a%b": may not contain '%'`],
    },
  ]);
});

test('scale, set, label, annotate, patch, edit', async () => {
  await using cluster = await startApi();
  const replicas = 'get deploy web -o jsonpath={.spec.replicas}';
  await play(cluster, [
    { args: 'apply -f -', input: manifest },
    { args: 'scale deploy web --replicas=5', has: ['deployment.apps/web scaled'] },
    { args: replicas, has: [/^5$/] },
    { args: 'scale deploy web --current-replicas=5 --replicas=4', has: ['scaled'] },
    {
      args: 'scale deploy web --current-replicas=9 --replicas=4',
      code: 1,
      has: ['Expected replicas to be 9, was 4'],
    },
    { args: 'scale deploy nope --replicas=1', code: 1, has: ['deployments.apps "nope" not found'] },
    { args: 'set image deploy/web app=web:2', has: ['deployment.apps/web image updated'] },
    { args: 'set image deploy/web nope=web:2', code: 1, has: ['unable to find container named "nope"'] },
    { args: 'set env deploy/web A=1 B=2', has: ['deployment.apps/web env updated'] },
    { args: 'set env deploy/web A-', has: ['env updated'] },
    { args: 'set env deploy/web --list', has: ['B=2'], hasNot: ['A=1'] },
    { args: 'set resources deploy/web --limits=cpu=1,memory=128Mi', has: ['resource requirements updated'] },
    {
      args: 'get deploy web -o jsonpath={.spec.template.spec.containers[0]}',
      has: [
        '"image":"web:2"',
        '"limits":{"cpu":"1","memory":"128Mi"}',
        '"requests":{"cpu":"500m","memory":"64Mi"}',
      ],
    },
    { args: 'label deploy web tier=front', has: ['deployment.apps/web labeled'] },
    { args: 'label deploy web tier=front', has: ['deployment.apps/web not labeled'] },
    {
      args: 'label deploy web tier=back',
      code: 1,
      has: ["'tier' already has a value (front), and --overwrite is false"],
    },
    { args: 'label deploy web tier-', has: ['unlabeled'] },
    { args: 'annotate deploy web kubernetes.io/change-cause=why', has: ['annotated'] },
    { args: `patch deploy web -p '{"spec":{"replicas":6}}'`, has: ['deployment.apps/web patched'] },
    { args: `patch deploy web -p '{"spec":{"replicas":6}}'`, has: ['patched (no change)'] },
    { args: `patch deploy web --type=merge -p '{"spec":{"replicas":7}}'`, has: ['patched'] },
    {
      args: `patch deploy web --type=json -p '[{"op":"replace","path":"/spec/replicas","value":8}]'`,
      has: ['patched'],
    },
    {
      args: `patch deploy web --type=json -p '[{"op":"test","path":"/spec/replicas","value":0}]'`,
      code: 1,
      has: ['The request is invalid'],
    },
    {
      args: `patch deploy web --subresource=scale --type=merge -p '{"spec":{"replicas":9}}'`,
      has: ['patched'],
    },
    {
      args: `patch deploy web --subresource=status --type=merge -p '{"status":{"replicas":3}}'`,
      has: ['patched'],
    },
    { args: 'get deploy web -o jsonpath={.spec.replicas},{.status.replicas}', has: [/^9,3$/] },
    {
      args: `patch deploy web -p '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"s:1"}]}}}}'`,
      has: ['patched'],
    },
    { args: 'get deploy web -o jsonpath={.spec.template.spec.containers[*].name}', has: [/^side app$/] },
  ]);
});

test('rollout: status, history, undo, pause, resume, restart', async () => {
  await using cluster = await startApi();
  addNode(cluster.registry, 'node1');
  const settle = ({ registry }: ApiCluster) => rollOut(registry, 'web');
  await play(cluster, [
    { args: 'apply -f -', input: manifest },
    {
      args: 'rollout status deploy/web --timeout=20s',
      before: settle,
      has: ['deployment "web" successfully rolled out'],
    },
    { args: 'annotate deploy web kubernetes.io/change-cause=second' },
    { args: 'set image deploy/web app=web:2' },
    { args: 'rollout history deploy/web', before: settle, has: ['REVISION', /1 +<none>/, '2'] },
    { args: 'rollout history deploy/web --revision=2', has: ['Image:\tweb:2'] },
    {
      args: 'rollout history deploy/web --revision=9',
      code: 1,
      has: ['unable to find the specified revision'],
    },
    { args: 'rollout undo deploy/web', has: ['deployment.apps/web rolled back'] },
    { args: 'get deploy web -o jsonpath={.spec.template.spec.containers[0].image}', has: [/^web:1$/] },
    {
      args: 'rollout undo deploy/web --to-revision=1',
      has: ['skipped rollback (current template already matches revision 1)'],
    },
    { args: 'rollout undo deploy/web --to-revision=2', has: ['rolled back'] },
    {
      args: 'rollout undo deploy/web --to-revision=99',
      code: 1,
      has: ['unable to find specified revision 99 in history'],
    },
    { args: 'rollout pause deploy/web', has: ['deployment.apps/web paused'] },
    { args: 'rollout pause deploy/web', code: 1, has: ['deployments.apps "web" is already paused'] },
    { args: 'rollout undo deploy/web', code: 1, has: ['you cannot rollback a paused deployment'] },
    { args: 'rollout resume deploy/web', has: ['deployment.apps/web resumed'] },
    { args: 'rollout restart deploy/web', has: ['deployment.apps/web restarted'] },
    {
      args: 'get deploy web -o jsonpath={.spec.template.metadata.annotations}',
      has: ['kubectl.kubernetes.io/restartedAt'],
    },
    {
      args: 'rollout status deploy/web --timeout=20s',
      before: ({ registry }) =>
        void registry.mutate(
          'deployments',
          'default',
          'web',
          (draft) => {
            const progressing = draft.status!.conditions!.find(({ type }) => type === 'Progressing')!;
            progressing.status = 'False';
            progressing.reason = 'ProgressDeadlineExceeded';
            draft.status!.observedGeneration = draft.metadata.generation;
          },
          'status',
        ),
      code: 1,
      has: ['exceeded its progress deadline'],
    },
  ]);
});

test('rollout status and wait end when the state comes', async () => {
  await using cluster = await startApi();
  addNode(cluster.registry, 'node1');
  await cluster.kubectl(['apply', '-f', '-'], manifest);
  const status = cluster.startKubectl(['rollout', 'status', 'deploy/web', '--timeout=20s']);
  const wait = cluster.startKubectl(['wait', '--for=condition=Available', 'deploy/web', '--timeout=20s']);
  const path = cluster.startKubectl([
    'wait',
    '--for=jsonpath={.status.readyReplicas}=2',
    'deploy/web',
    '--timeout=20s',
  ]);
  const gone = cluster.startKubectl(['wait', '--for=delete', 'svc/web', '--timeout=20s']);
  await until(
    'the first words',
    () => status.output().includes('Waiting for deployment spec update'),
    status.output,
  );
  rollOut(cluster.registry, 'web');
  assert.is(await status.exited, 0, status.output());
  assert.match(status.output(), 'successfully rolled out');
  assert.is(await wait.exited, 0, wait.output());
  assert.is(await path.exited, 0, path.output());
  cluster.registry.delete('services', 'default', 'web');
  assert.is(await gone.exited, 0, gone.output());
  const late = await cluster.kubectl(['wait', '--for=condition=Nope', 'deploy/web', '--timeout=1s']);
  assert.is(late.code, 1);
  assert.match(late.stderr, 'timed out waiting for the condition on deployments/web');
});

test('logs, exec, proxy, top', async () => {
  await using cluster = await startApi();
  addNode(cluster.registry, 'node1');
  addPod(cluster.registry, 'p', 'default', { app: 'web' });
  await play(cluster, [
    { args: 'logs p', has: ['line 1 of p/app\nline 2 of p/app\nline 3 of p/app\n'] },
    { args: 'logs p --tail=1', has: [/^line 1 of p\/app\n$/] },
    { args: 'logs -l app=web', has: ['line 1 of p/app'] },
    { args: 'logs p --previous', code: 1, has: ['previous terminated container "app" in pod "p" not found'] },
    { args: 'logs p -c nope', code: 1, has: ['container nope is not valid for pod p'] },
    { args: 'logs nope', code: 1, has: ['pods "nope" not found'] },
    { args: 'exec p -- echo hello', has: ['app: echo hello\n'] },
    { args: 'exec -i p -- cat', input: 'words', has: ['in: words'] },
    { args: 'exec p -- false', code: 3, has: ['command terminated with exit code 3'] },
    {
      args: 'get --raw /api/v1/namespaces/default/pods/p:8080/proxy/metrics?x=1',
      has: ['"port":8080', '"path":"/metrics?x=1"'],
    },
    { args: 'top pods', has: [/p +5m +20Mi/] },
    { args: 'top nodes', has: [/node1 +250m +12% +512Mi +12%/] },
    {
      args: 'logs q',
      before: ({ registry }) =>
        void registry.create('pods', {
          metadata: { name: 'q' },
          spec: { nodeName: 'node1', containers: [{ name: 'app', image: 'web:1' }] },
        }),
      code: 1,
      has: ['container "app" in pod "q" is waiting to start: ContainerCreating'],
    },
  ]);
  const follow = cluster.startKubectl(['logs', '-f', 'p']);
  await until('followed lines', () => follow.output().includes('more 3'), follow.output);
});

test('exec as kubectl did it before WebSockets, port-forward as it does it to this day', async () => {
  await using cluster = await startApi({}, { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' });
  addNode(cluster.registry, 'node1');
  addPod(cluster.registry, 'p', 'default', { app: 'web' });
  await play(cluster, [
    { args: 'exec p -v6 -- echo hello', has: ['app: echo hello\n', 'POST', '101 Switching Protocols'] },
    { args: 'exec -i p -- cat', input: 'words'.repeat(20_000), has: [/in: (words){10}/, /words$/] },
    { args: 'exec p -- false', code: 3, has: ['command terminated with exit code 3'] },
    { args: 'exec p -c nope -- false', code: 1, has: ['container nope is not valid for pod p'] },
    { args: 'attach p', code: 1, has: ['the emulated cluster has no attach over SPDY'] },
  ]);
  const forward = cluster.startKubectl(['port-forward', 'p', ':8080', ':1']);
  const portTo = (remote: number) =>
    new RegExp(`127\\.0\\.0\\.1:(\\d+) -> ${remote}`).exec(forward.output())?.[1];
  await until('ports', () => portTo(8080) && portTo(1), forward.output);
  const answers = await Promise.all(
    ['one', 'two'].map(async (text) => {
      const socket = connect({ port: Number(portTo(8080)), host: '127.0.0.1', allowHalfOpen: true });
      socket.end(text);
      return String(Buffer.concat(await socket.toArray()));
    }),
  );
  assert.equal(answers, ['one', 'two']);
  const refused = connect({ port: Number(portTo(1)), host: '127.0.0.1' });
  await refused.resume().toArray();
  await until(
    'what went wrong',
    () => forward.output().includes('to pod default/p: connect ECONNREFUSED'),
    forward.output,
  );
});

test('delete: background, foreground, grace, force, waiting', async () => {
  await using cluster = await startApi();
  addNode(cluster.registry, 'node1');
  const { registry } = cluster;
  await play(cluster, [
    { args: 'apply -f -', input: manifest },
    {
      args: 'delete deploy web',
      before: ({ registry: r }) => rollOut(r, 'web'),
      has: ['deployment.apps "web" deleted'],
    },
    { args: 'get rs', has: ['No resources found'] },
    { args: 'get pods', has: [/web-hash1-0 +1\/1 +Terminating/] },
    { args: 'delete pod web-hash1-0 --force', has: ['force deleted'] },
    { args: 'get pod web-hash1-0', code: 1 },
    {
      args: 'delete deploy web',
      code: 1,
      has: ['Error from server (NotFound): deployments.apps "web" not found'],
    },
    {
      args: 'delete ns default',
      code: 1,
      has: ['namespaces "default" is forbidden: this namespace may not be deleted'],
    },
    { args: 'delete deploy --all', has: ['No resources found'] },
    {
      args: 'delete deploy other --cascade=foreground --timeout=10s',
      before: (c) => void c.registry.create('deployments', deployment('other')),
      has: ['deleted'],
    },
  ]);
  const waiting = cluster.startKubectl(['delete', 'pod', 'web-hash1-1', '--timeout=15s']);
  await until('the request', () => waiting.output().includes('deleted'), waiting.output);
  registry.delete('pods', 'default', 'web-hash1-1', { gracePeriodSeconds: 0 });
  assert.is(await waiting.exited, 0, waiting.output());
});

function deployment(name: string) {
  return {
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'app', image: 'web:1' }] },
      },
    },
  };
}

test('cordon, drain and budgets', async () => {
  await using cluster = await startApi();
  const { registry } = cluster;
  addNode(registry, 'node1');
  const set = registry.create('replicasets', { metadata: { name: 'rs' }, spec: deployment('web').spec });
  const owner = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    name: 'rs',
    uid: set.metadata.uid,
    controller: true,
  };
  addPod(registry, 'one', 'default', { app: 'web' }, [owner]);
  registry.create('poddisruptionbudgets', {
    metadata: { name: 'web' },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
  });
  const allow = (disruptionsAllowed: number) =>
    registry.mutate(
      'poddisruptionbudgets',
      'default',
      'web',
      (draft) => {
        draft.status = {
          observedGeneration: 1,
          disruptionsAllowed,
          currentHealthy: 1,
          desiredHealthy: 1,
          expectedPods: 1,
        };
      },
      'status',
    );
  await play(cluster, [
    { args: 'cordon node1', has: ['node/node1 cordoned'] },
    { args: 'cordon node1', has: ['node/node1 already cordoned'] },
    { args: 'get nodes', has: ['Ready,SchedulingDisabled'] },
    {
      args: 'drain node1 --timeout=2s',
      before: () => void allow(0),
      code: 1,
      has: [
        'evicting pod default/one',
        "Cannot evict pod as it would violate the pod's disruption budget.",
        'global timeout reached: 2s',
      ],
    },
    { args: 'uncordon node1', has: ['node/node1 uncordoned'] },
    { args: 'taint nodes node1 key=value:NoSchedule', has: ['node/node1 tainted'] },
    { args: 'taint nodes node1 key-', has: ['node/node1 untainted'] },
  ]);
  allow(1);
  const drain = cluster.startKubectl(['drain', 'node1', '--timeout=15s']);
  const evicted = await until(
    'the eviction',
    () => {
      const pod = registry.get('pods', 'default', 'one');
      return pod?.metadata.deletionTimestamp ? pod : undefined;
    },
    drain.output,
  );
  assert.is(
    evicted.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason,
    'EvictionByEvictionAPI',
  );
  assert.ok(registry.get('poddisruptionbudgets', 'default', 'web')?.status?.disruptedPods?.one);
  registry.delete('pods', 'default', 'one', { gracePeriodSeconds: 0 });
  assert.is(await drain.exited, 0, drain.output());
  assert.match(drain.output(), 'node/node1 drained');
});

test.run();
