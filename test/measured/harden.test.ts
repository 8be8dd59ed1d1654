// `rollproof harden` as a user runs it: a workload that loses at every rollout, its files edited, and what the edited files
// give measured once more.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inTemporaryFolder, rollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('harden', { timeoutMs: 420_000 });

// Answers take 100 ms, so that a pod that exits at once always has kept connections to cut.
const app = `import { createServer } from 'node:http';
createServer((_, response) => {
  response.setHeader('x-rollproof-pod', process.env.POD_NAME ?? process.env.HOSTNAME ?? '');
  setTimeout(() => response.end('ok'), 100);
}).listen(8080, process.env.POD_IP);
process.on('SIGTERM', () => process.exit(0));
`;
const manifests = `# Team shop: keep this comment
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web   # the shop
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: "example.test/web:1"
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
`;

test('refuses what git could not bring back, then writes what was measured', () =>
  inTemporaryFolder(async (folder) => {
    const file = join(folder, 'web.yaml');
    const config = join(folder, 'rollproof.yaml');
    const out = join(folder, 'out');
    writeFileSync(join(folder, 'app.mjs'), app);
    writeFileSync(file, manifests);
    writeFileSync(
      config,
      `target: {manifests: [web.yaml], deployment: web, service: web}
load: {rate: 50}
images:
  example.test/web:1: {command: [node, app.mjs]}
`,
    );
    const common = ['harden', '--cluster', 'embedded', '--config', config, '--tries', '1', '--write'];
    const refused = await rollproof([...common, '--out', out]);
    assert.is(refused.code, 4, refused.stderr);
    assert.match(refused.stderr, /web\.yaml: is in no git repository, .*--force/);
    assert.ok(!readdirSync(folder).includes('out'), 'no side effect');

    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@example.test', ...args], { cwd: folder });
    git('init', '-q');
    git('add', '.');
    git('commit', '-qm', 'x');
    const done = await rollproof([...common, '--out', out]);
    assert.is(done.code, 1, `kept connections are for the app to end\n${done.stdout}${done.stderr}`);
    const answer = JSON.parse(readFileSync(join(out, 'harden.json'), 'utf8'));
    assert.is(answer.outcome, 'less');
    assert.equal(answer.chosen.settings, ['preStop']);
    assert.ok(answer.asIs.lines.new.lost > 0, 'new connections are lost as it is');
    assert.is(answer.edited.lines.new.lost, 0, 'and none by the edited file');
    const diff = git('diff', '--unified=0').toString().split('\n');
    assert.equal(
      diff.filter((line) => /^[-+](?!(--|\+\+) )/.test(line)),
      [
        '+        lifecycle:',
        '+          preStop:',
        '+            sleep:',
        `+              seconds: ${answer.preStopSeconds}`,
      ],
    );
    assert.match(done.stdout, 'The edited files were measured as they are, once: lost 0 of');
    assert.match(done.stdout, /emulated/);
  }));

test.run();
