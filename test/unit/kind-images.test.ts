import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { canonicalName, dockerfileFor } from '../../harness/cluster/docker-image.ts';
import { imagesByName, provideImages } from '../../harness/cluster/kind/images.ts';
import { newestOf } from '../../harness/cluster/kind/node-image.ts';
import type { ImageRequest } from '../../harness/cluster/provider.ts';
import { FaultError } from '../../harness/model/errors.ts';
import { FakeDocker, fails } from '../fake-docker.ts';
import { suite } from '../suite.ts';

const test = suite('kind-images');

test('the name under which a node knows an image', () => {
  const table: [image: string, expected: string][] = [
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.22.0', 'docker.io/library/nginx:1.22.0'],
    ['rollproof/target:v1', 'docker.io/rollproof/target:v1'],
    ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10'],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
    ['localhost/app:2', 'localhost/app:2'],
    ['nginx@sha256:abc', 'docker.io/library/nginx@sha256:abc'],
  ];
  for (const [image, expected] of table) assert.is(canonicalName(image), expected);
});

test('the newest node image', () => {
  const table: [images: string[], expected: string | undefined][] = [
    [[], undefined],
    [['kindest/node:v1.9.10', 'kindest/node:v1.34.4', 'kindest/node:v1.34.12'], 'kindest/node:v1.34.12'],
    [['kindest/node@sha256:abc', 'kindest/node:v1.30.0'], 'kindest/node:v1.30.0'],
    [['kindest/node@sha256:abc'], 'kindest/node@sha256:abc'],
  ];
  for (const [images, expected] of table) assert.is(newestOf(images), expected);
});

test("containerd's list: an image's id is found by the digest of its manifest", () => {
  const ids = imagesByName(
    [
      'REF                          TYPE          DIGEST         SIZE     PLATFORMS   LABELS',
      'docker.io/library/app:1      application/x sha256:m1      1.0 MiB  linux/amd64 io.cri-containerd.image=managed',
      'sha256:config1               application/x sha256:m1      1.0 MiB  linux/amd64 io.cri-containerd.image=managed',
      'docker.io/library/app:2      application/x sha256:m2      1.0 MiB  linux/amd64 -',
      '',
    ].join('\n'),
  );
  assert.equal([...(ids.get('docker.io/library/app:1') ?? [])], ['sha256:m1', 'sha256:config1']);
  assert.equal([...(ids.get('docker.io/library/app:2') ?? [])], ['sha256:m2']);
});

test('the environment is baked in as it is', () => {
  assert.is(
    dockerfileFor('FROM node\n', { VERSION: '2', TEXT: 'a "b" $c' }),
    'FROM node\nENV VERSION="2"\nENV TEXT="a \\"b\\" \\$c"\n',
  );
});

test('an image of any program: built from its Dockerfile and files, again only when one of them changed', async () => {
  await using world = makeWorld();
  const build = { dockerfile: 'FROM scratch\nCOPY a /\n', files: { a: world.bundle } };
  const builds = () => world.docker.ran.filter((line) => line.startsWith('docker build')).length;
  await world.provide([{ name: 'rollproof/k6:1', build }]);
  await world.provide([{ name: 'rollproof/k6:1', build }]);
  assert.is(builds(), 1);
  await world.provide([{ name: 'rollproof/k6:1', build: { ...build, dockerfile: 'FROM scratch\n' } }]);
  assert.is(builds(), 2);
  writeFileSync(world.bundle, 'changed');
  await world.provide([{ name: 'rollproof/k6:1', build }]);
  assert.is(builds(), 3);
});

test('builds, pulls and loads only what is lacking, all at once', async () => {
  await using world = makeWorld();
  const images: ImageRequest[] = [
    { name: 'rollproof/target:v1', build: { bundle: world.bundle, env: { VERSION: '1' } } },
    { name: 'rollproof/target:v2', build: { bundle: world.bundle, env: { VERSION: '2' } } },
    { name: 'library/local:1' },
    { name: 'library/local:1' },
  ];
  world.docker.images.set('library/local:1', { id: 'sha256:local', labels: {} });
  await world.provide(images);
  const builds = () => world.docker.ran.filter((line) => line.startsWith('docker build')).length;
  const loads = () => world.docker.ran.filter((line) => line.startsWith('kind load'));
  assert.is(builds(), 2);
  assert.equal(loads(), [
    'kind load docker-image rollproof/target:v1 rollproof/target:v2 library/local:1 --name c --nodes c-control-plane,c-worker',
  ]);
  await world.provide(images);
  assert.is(builds(), 2, 'unchanged images are not built again');
  assert.is(loads().length, 1, 'nor loaded again');

  writeFileSync(world.bundle, 'changed');
  world.docker.onNodes.get('c-worker')?.delete('docker.io/library/local:1');
  await world.provide(images);
  assert.is(builds(), 4);
  assert.equal(readdirSync(world.folder), ['bundle.cjs'], 'build contexts and archives are removed');
});

test('an image that all nodes have already need not be in Docker', async () => {
  await using world = makeWorld();
  for (const images of world.docker.onNodes.values()) images.set('docker.io/library/baked:1', 'sha256:baked');
  await world.provide([{ name: 'baked:1' }]);
  assert.not.ok(
    world.docker.ran.some((line) => line.startsWith('docker pull') || line.startsWith('kind load')),
  );
});

test('what cannot be had is a sentence that names the image', async () => {
  const table: [start: string, images: (bundle: string) => ImageRequest[], message: RegExp][] = [
    [
      'docker pull',
      () => [{ name: 'no-such/app:1' }],
      /^Image no-such\/app:1 is not in Docker and cannot be pulled\. Build or pull it, or name another one\.\n"command pull --quiet no-such\/app:1" ended with 1\n {2}because$/,
    ],
    [
      'docker build',
      (bundle) => [{ name: 'rollproof/target:v1', build: { bundle, env: {} } }],
      /^Image rollproof\/target:v1 could not be built\.\n/,
    ],
    [
      'kind load',
      (bundle) => [{ name: 'rollproof/target:v1', build: { bundle, env: {} } }],
      /^kind: rollproof\/target:v1 could not be loaded into the nodes\.\n/,
    ],
  ];
  for (const [start, images, message] of table) {
    await using world = makeWorld();
    world.docker.troubles.set(start, fails(1, 'because\n'));
    try {
      await world.provide(images(world.bundle));
      assert.unreachable(start);
    } catch (error) {
      assert.instance(error, FaultError);
      assert.match((error as Error).message, message);
    }
    assert.equal(readdirSync(world.folder), ['bundle.cjs']);
  }
});

test.run();

function makeWorld() {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-images-'));
  const bundle = join(folder, 'bundle.cjs');
  writeFileSync(bundle, 'program');
  const docker = new FakeDocker();
  docker.addCluster('c', 2, []);
  const nodes = docker.nodesOf('c');
  return {
    docker,
    folder,
    bundle,
    provide: (images: readonly ImageRequest[]) =>
      provideImages(docker.run, { cluster: 'c', nodes, folder }, images, {
        progress: () => {},
        signal: new AbortController().signal,
      }),
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
