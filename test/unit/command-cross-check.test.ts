// Whether and how k6 can be run on a cluster: every reason why not is a sentence, never a failure.
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { ImageRequest, RunningCluster } from '../../harness/cluster/provider.ts';
import { CommandError, type RunCommand } from '../../harness/exec/command.ts';
import { k6Binary } from '../../harness/load/k6/binary.ts';
import { FaultError, InterruptedError } from '../../harness/model/errors.ts';
import { k6Means } from '../../harness/run/k6-means.ts';
import { suite } from '../suite.ts';

const test = suite('command: cross-check');
const options = { progress: () => {}, signal: new AbortController().signal };

function clusterOf(kind: string, provide: (images: readonly ImageRequest[]) => Promise<void>) {
  const info = { kind, name: 'c', emulated: kind === 'embedded' };
  return { info, provideImages: provide } as unknown as RunningCluster;
}

/** A k6 on the PATH that says its version, behind a link. */
async function withK6<T>(act: (program: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-k6-'));
  const path = process.env.PATH;
  try {
    const program = join(folder, 'k6-real');
    writeFileSync(program, '#!/bin/sh\necho "k6 v1.2.3 (go)"\n');
    chmodSync(program, 0o755);
    symlinkSync(program, join(folder, 'k6'));
    process.env.PATH = `${folder}:${path}`;
    return await act(program);
  } finally {
    process.env.PATH = path;
    rmSync(folder, { recursive: true, force: true });
  }
}

const says: RunCommand = async () => ({ stdout: 'k6 v1.2.3 (go)\n', stderr: '' });

test('the program is found behind its link; files that cannot be run are passed over', () =>
  withK6(async (program) => {
    const folder = mkdtempSync(join(tmpdir(), 'rollproof-k6-'));
    writeFileSync(join(folder, 'k6'), '');
    assert.is(k6Binary(`${folder}:${process.env.PATH}`), program);
    assert.is(k6Binary(folder), undefined);
    rmSync(folder, { recursive: true });
  }));

test('no k6: a sentence, and no image is made', async () => {
  const path = process.env.PATH;
  process.env.PATH = '/nowhere';
  try {
    const means = await k6Means(
      clusterOf('kind', () => Promise.reject(new Error('asked'))),
      options,
    );
    assert.match(means.how === 'none' ? means.why : '', /no "k6" on the PATH.*Install it/);
  } finally {
    process.env.PATH = path;
  }
});

test('a process where pods are emulated; an image of program and script on kind; a sentence elsewhere', () =>
  withK6(async (program) => {
    const asked: ImageRequest[] = [];
    const cluster = (kind: string) => clusterOf(kind, async (images) => void asked.push(...images));
    assert.equal(await k6Means(cluster('embedded'), options, says), {
      how: 'process',
      version: 'v1.2.3',
    });
    const elsewhere = await k6Means(cluster('context'), options, says);
    assert.match(elsewhere.how === 'none' ? elsewhere.why : '', /cluster c cannot get it from here/);
    assert.is(asked.length, 0);
    const means = await k6Means(cluster('kind'), options, says);
    const [image] = asked;
    assert.equal(means, { how: 'pod', image: image?.name, version: 'v1.2.3' });
    assert.match(image?.name ?? '', /^rollproof\/k6:[0-9a-f]{12}$/);
    assert.ok(image?.build && 'files' in image.build);
    assert.is(image.build.files.k6, program);
    assert.match(image.build.dockerfile, /^FROM scratch\n/);
    await k6Means(cluster('kind'), options, says);
    assert.is(asked[1]?.name, image.name, 'the same content, the same name');
  }));

test('an image that cannot be made or does not run is a sentence; an interrupt is one', () =>
  withK6(async (program) => {
    const works = clusterOf('kind', async () => {});
    const table: [string, RunningCluster, RunCommand, RegExp][] = [
      [
        'not made',
        clusterOf('kind', () => Promise.reject(new FaultError('Image x could not be built.\nmore'))),
        says,
        /\(Image x could not be built\.\)/,
      ],
      [
        'does not run',
        works,
        () =>
          Promise.reject(new CommandError('docker run', 125, 1000, 'exec /k6: no such file or directory\n')),
        /\(exec \/k6: no such file or directory\)/,
      ],
    ];
    for (const [name, cluster, run, reason] of table) {
      const means = await k6Means(cluster, options, run);
      const why = means.how === 'none' ? means.why : '';
      assert.ok(why.startsWith(`Cross-check: ${program} does not run in a container (`), `${name}: ${why}`);
      assert.match(why, reason);
    }
    try {
      await k6Means(works, options, () => Promise.reject(new InterruptedError()));
      assert.unreachable();
    } catch (error) {
      assert.instance(error, InterruptedError);
    }
  }));

test.run();
