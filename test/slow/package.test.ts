// What people install, installed as they do: the npm package from its tarball in an empty folder, and the archive for krew
// by its manifest. Both are built here, once.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { root } from '../rollproof.ts';
import { Skipped, suite } from '../suite.ts';

const test = suite('packages', { timeoutMs: 240_000 });
const folder = mkdtempSync(join(tmpdir(), 'rollproof-package-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version as string;

function run(program: string, args: readonly string[], cwd: string, path = process.env.PATH) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, PATH: path, NODE_OPTIONS: '' },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error) throw error;
  return { status, stdout, stderr };
}

function must(program: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = run(program, args, cwd);
  assert.is(status, 0, `${program} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

/** Made by the first test that needs it. */
let made: string | undefined;
function tarball(): string {
  if (made === undefined) {
    must('npm', ['run', '-s', 'build'], root);
    const packed = must('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root);
    const [pack] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
    made = join(folder, pack.filename);
    const paths = pack.files.map(({ path }) => path);
    for (const path of [
      'config.schema.json',
      'dist/reports/json/results.schema.json',
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
    ])
      assert.ok(paths.includes(path), `${path} is not in the package`);
    assert.equal(
      paths.filter((path) => /^(test|docs|\.github|node_modules)\//.test(path)),
      [],
    );
  }
  return made;
}

const risky = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'web:1', ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`;

test('the npm package in an empty folder: npx rollproof, check, schemas, the emulator', () => {
  const home = join(folder, 'empty');
  mkdirSync(home);
  writeFileSync(join(home, 'package.json'), '{"type":"module"}');
  must(
    'npm',
    ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', tarball()],
    home,
  );
  assert.is(must('npx', ['--no-install', 'rollproof', '--version'], home).trim(), version);
  assert.ok(existsSync(join(home, 'node_modules/.bin/kubectl-rollproof')));
  writeFileSync(join(home, 'web.yaml'), risky);
  const check = run('npx', ['--no-install', 'rollproof', 'check', 'web.yaml'], home);
  assert.is(check.status, 1, check.stderr);
  assert.match(check.stdout, /no-readiness-probe/);
  writeFileSync(
    join(home, 'uses.mjs'),
    `import { createRequire } from 'node:module';
import { startCluster } from 'rollproof/emulator';
const require = createRequire(import.meta.url);
const schemas = ['config', 'results'].map((name) => require('rollproof/' + name + '.schema.json').type);
const cluster = await startCluster();
const answer = await fetch(cluster.url + '/version', { headers: { Authorization: 'Bearer ' + cluster.token } });
console.log(JSON.stringify({ schemas, version: (await answer.json()).gitVersion }));
await cluster.stop();
process.exit();
`,
  );
  const uses = JSON.parse(must(process.execPath, ['uses.mjs'], home).trim());
  assert.equal(uses.schemas, ['object', 'object']);
  assert.match(uses.version, /^v1\.34/);
});

test('the archive for krew, installed by its manifest, is kubectl rollproof', () => {
  const platform = ({ x64: 'amd64', arm64: 'arm64' } as Record<string, string>)[process.arch];
  if (process.platform !== 'linux' || !platform) throw new Skipped('archives are built on Linux');
  const out = join(folder, 'krew');
  must(
    process.execPath,
    [
      'scripts/start.mjs',
      'scripts/package.ts',
      ...['--out', out, '--tarball', tarball(), '--platforms', `linux-${platform}`],
      ...['--url', 'https://example.com/rollproof/releases/'],
    ],
    root,
  );
  const manifest = parse(readFileSync(join(out, 'rollproof.yaml'), 'utf8'));
  assert.equal(
    [manifest.apiVersion, manifest.kind, manifest.metadata.name, manifest.spec.version],
    ['krew.googlecontainertools.github.com/v1alpha2', 'Plugin', 'rollproof', `v${version}`],
  );
  // As krew does it: the archive by its sum, unpacked into a store, a link on the PATH.
  const [{ uri, sha256, bin, selector }] = manifest.spec.platforms;
  assert.equal(selector.matchLabels, { os: 'linux', arch: platform });
  const archive = join(out, new URL(uri).pathname.split('/').at(-1) as string);
  assert.is(createHash('sha256').update(readFileSync(archive)).digest('hex'), sha256);
  const store = join(folder, 'store');
  const links = join(folder, 'bin');
  for (const one of [store, links]) mkdirSync(one);
  must('tar', ['-xzf', archive], store);
  assert.ok(existsSync(join(store, 'LICENSE')));
  assert.is(
    existsSync(join(store, 'node_modules', 'typescript')),
    false,
    'what only developers need is in it',
  );
  symlinkSync(join(store, bin), join(links, 'kubectl-rollproof'));
  const path = `${links}:${process.env.PATH}`;
  assert.is(run('kubectl-rollproof', ['--version'], folder, path).stdout.trim(), version);
  writeFileSync(join(folder, 'web.yaml'), risky);
  assert.is(run('kubectl-rollproof', ['check', 'web.yaml'], folder, path).status, 1);
  if (run('sh', ['-c', 'command -v kubectl'], folder).status !== 0)
    throw new Skipped('kubectl is not on the PATH: the plugin was started by its own name only');
  assert.is(run('kubectl', ['rollproof', '--version'], folder, path).stdout.trim(), version);
});

test.run();
