// action.yml, its steps run one after the other as GitHub's runner does (test/action-runner.ts), against a stub of
// GitHub's API for comments; and the rules of GitHub's metadata syntax that can be read off the file.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type ActionEnded, type ActionRun, actionFile, runAction, text } from '../action-runner.ts';
import { inTemporaryFolder, root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('GitHub Action', { timeoutMs: 60_000 });

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

/** A program in the place of rollproof: says what it was given, leaves a summary, ends with CODE. */
function fakeAction(folder: string, code: number): string {
  const path = join(folder, 'the action');
  mkdirSync(join(path, 'scripts', 'action'), { recursive: true });
  for (const name of ['run.sh', 'comment.mjs'])
    writeFileSync(join(path, 'scripts', 'action', name), readFileSync(join(root, 'scripts', 'action', name)));
  writeFileSync(
    join(path, 'scripts', 'rollproof.mjs'),
    `import { mkdirSync, writeFileSync } from 'node:fs';
const args = process.argv.slice(2);
console.log(JSON.stringify(args));
const out = args[args.indexOf('--out') + 1];
if (args.includes('--out') && ${code} !== 4) {
  mkdirSync(out, { recursive: true });
  writeFileSync(out + '/summary.md', '## The answer\\n');
}
process.exit(${code});
`,
  );
  return path;
}

interface Comment {
  readonly id: number;
  body: string;
  readonly user: { readonly type: string };
}

interface Github {
  readonly url: string;
  readonly comments: Comment[];
  readonly requests: string[];
  status?: number;
}

async function withGithub<T>(
  act: (github: Github) => Promise<T>,
  first: readonly Comment[] = [],
): Promise<T> {
  const github: { url: string; comments: Comment[]; requests: string[]; status?: number } = {
    url: '',
    comments: [...first],
    requests: [],
  };
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    github.requests.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    const answer = (status: number, value: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (github.status) return answer(github.status, { message: 'no' });
    const page = Number(new URL(request.url ?? '', 'http://x').searchParams.get('page') ?? 1);
    if (request.method === 'GET') return answer(200, github.comments.slice((page - 1) * 100, page * 100));
    const given = JSON.parse(body) as { body: string };
    const id = Number(/comments\/(\d+)$/.exec(request.url ?? '')?.[1] ?? 1000 + github.comments.length);
    const old = github.comments.find((one) => one.id === id);
    if (old) old.body = given.body;
    else github.comments.push({ id, body: given.body, user: { type: 'Bot' } });
    answer(old ? 200 : 201, { html_url: `https://example.com/comment/${id}` });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  github.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    return await act(github);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const onPullRequest = (github: Github, more: Partial<ActionRun> = {}): Partial<ActionRun> => ({
  ...more,
  github: {
    event_name: 'pull_request',
    event: { pull_request: { number: 7, head: { repo: { fork: false } } } },
  },
  env: { GITHUB_API_URL: github.url, GITHUB_REPOSITORY: 'shop/web' },
});

test('the file keeps GitHub’s rules: ids, descriptions, a shell for each run, outputs with values', () => {
  const id = /^[A-Za-z_][\w-]*$/;
  for (const [name, input] of Object.entries(actionFile.inputs)) {
    assert.match(name, id);
    assert.ok(input.description.length > 10, name);
    assert.type(input.default, 'string', `${name}: a default is a string`);
  }
  for (const [name, output] of Object.entries(actionFile.outputs)) {
    assert.match(name, id);
    assert.ok(output.description && output.value, name);
  }
  assert.is(actionFile.runs.using, 'composite');
  const known = new Set(actionFile.runs.steps.flatMap((step) => step.id ?? []));
  for (const step of actionFile.runs.steps) {
    assert.is(
      step.run !== undefined,
      step.shell !== undefined,
      'a run step needs a shell, a uses step has none',
    );
    // What a pull request's author writes must not become a program.
    assert.not.match(step.run ?? '', /\$\{\{/, 'expressions belong into env');
    for (const value of [
      step.if ?? '',
      ...Object.values(step.with ?? {}),
      ...Object.values(step.env ?? {}),
    ]) {
      for (const [, used] of String(value).matchAll(/inputs\.([\w-]+)/g))
        assert.ok(Object.hasOwn(actionFile.inputs, used as string), `inputs.${used}`);
      for (const [, used] of String(value).matchAll(/steps\.([\w-]+)/g))
        assert.ok(known.has(used as string), `steps.${used}`);
    }
    if (step.uses) assert.match(step.uses, /^[\w.-]+\/[\w./-]+@v\d+$/, 'pinned to a major version');
  }
  const documented = readFileSync(join(root, 'docs', 'ci.md'), 'utf8');
  for (const name of Object.keys(actionFile.inputs))
    assert.ok(documented.includes(`\`${name}\``), `${name} is not in docs/ci.md`);
});

test('expressions are read as GitHub reads them', () => {
  const context = { github: { event: {}, name: 'a' }, inputs: { x: 'true', 'a-b': '' }, steps: {} };
  const cases: [string, string][] = [
    ['inputs.x', 'true'],
    ["inputs.x == 'true' && inputs.a-b != ''", 'false'],
    ["inputs.a-b == '' && (github.name == 'b' || github.name == 'a')", 'true'],
    ['github.event.pull_request.head.repo.fork != true', 'true'],
    ['steps.no.outputs.x', ''],
  ];
  for (const [expression, expected] of cases)
    assert.is(text(`a $\{{ ${expression} }} b`, context), `a ${expected} b`, expression);
});

test('check: findings as comment, summary, SARIF and artifact; the job fails in the end', () =>
  inTemporaryFolder((workspace) =>
    withGithub(async (github) => {
      mkdirSync(join(workspace, 'k8s files'));
      writeFileSync(join(workspace, 'k8s files', 'web.yaml'), risky);
      const inputs = { command: 'check', files: 'k8s files\n', sarif: 'true', args: '--kubernetes\n1.33' };
      const ended = await runAction({ workspace, inputs, ...onPullRequest(github) });
      assert.is(ended.code, 1, ended.log);
      assert.is(ended.outputs['exit-code'], '1');
      assert.match(ended.summary, /## rollproof check: exit code 1/);
      assert.match(ended.summary, /no-readiness-probe/);
      assert.is(github.comments.length, 1);
      assert.match(github.comments[0]?.body ?? '', /^<!-- rollproof {2}-->\n## rollproof check/);
      assert.match(ended.outputs['comment-url'] ?? '', /^https:\/\/example\.com\/comment\//);
      const sarif = JSON.parse(readFileSync(ended.outputs.sarif ?? '', 'utf8'));
      assert.is(sarif.version, '2.1.0');
      assert.ok(sarif.runs[0].results.length > 0);
      assert.equal(
        ended.used.map(({ uses }) => uses.replace(/@.*/, '')),
        ['actions/setup-node', 'github/codeql-action/upload-sarif', 'actions/upload-artifact'],
      );
      assert.is(ended.used[1]?.with.sarif_file, ended.outputs.sarif);
      assert.ok(existsSync(ended.used[2]?.with.path ?? ''));
    }),
  ));

test('the comment is renewed, also on a later page; another key and another author’s copy are left alone', () =>
  inTemporaryFolder((workspace) => {
    const others = Array.from({ length: 130 }, (_, id) => ({ id, body: 'hello', user: { type: 'User' } }));
    others[3] = { id: 3, body: '<!-- rollproof web -->\nquoted', user: { type: 'User' } };
    others[5] = { id: 5, body: '<!-- rollproof api -->\nof another job', user: { type: 'Bot' } };
    return withGithub(async (github) => {
      const actionPath = fakeAction(workspace, 0);
      const run = () =>
        runAction({ workspace, actionPath, inputs: { 'comment-key': 'web' }, ...onPullRequest(github) });
      for (let k = 0; k < 2; k++) assert.is((await run()).code, 0);
      assert.is(github.comments.length, 131);
      assert.is(github.comments.at(-1)?.body, '<!-- rollproof web -->\n## The answer\n');
      assert.is(github.requests.filter((line) => line.startsWith('POST')).length, 1);
      assert.ok(github.requests.every((line) => line.endsWith('Bearer token')));
      assert.equal([github.comments[3]?.body, github.comments[5]?.body], [others[3]?.body, others[5]?.body]);
    }, others);
  }));

test('no right to comment is a warning, not a failure; a fork uploads nothing', () =>
  inTemporaryFolder((workspace) =>
    withGithub(async (github) => {
      github.status = 403;
      const ended = await runAction({
        workspace,
        actionPath: fakeAction(workspace, 0),
        inputs: { sarif: 'true' },
        ...onPullRequest(github),
        github: {
          event_name: 'pull_request',
          event: { pull_request: { number: 7, head: { repo: { fork: true } } } },
        },
      });
      assert.is(ended.code, 0, ended.log);
      assert.match(
        ended.log,
        /::warning title=rollproof::The comment was not made: .*403.*pull-requests: write/,
      );
      assert.not.ok(ended.used.some(({ uses }) => uses.includes('upload-sarif')));
    }),
  ));

const commands: readonly [
  inputs: Record<string, string>,
  code: number,
  expected: (ended: ActionEnded) => void,
][] = [
  [
    { command: 'verify', args: '--scenario=image change\n--config\na;b$(touch x)`y`"z".yaml\n' },
    1,
    (ended) => {
      assert.is(ended.code, 1);
      const [command, flag, , ...args] = JSON.parse(
        ended.log.split('\n').find((line) => line.startsWith('[')) ?? '',
      );
      assert.equal([command, flag], ['verify', '--out']);
      assert.equal(args, ['--scenario=image change', '--config', 'a;b$(touch x)`y`"z".yaml']);
      assert.is(ended.summary, '## The answer\n');
    },
  ],
  [{ command: 'watch', args: '--for=1m' }, 2, (ended) => assert.is(ended.code, 2)],
  [
    { command: 'watch', 'fail-on-inconclusive': 'false' },
    2,
    (ended) => {
      assert.is(ended.code, 0);
      assert.match(ended.log, /::warning title=rollproof::inconclusive/);
      assert.is(ended.outputs['exit-code'], '2');
    },
  ],
  [
    { command: 'harden', args: '--write' },
    0,
    (ended) => {
      assert.is(ended.code, 0);
      assert.match(ended.log, /\["harden","--out","[^"]+\/report","--write"\]/);
    },
  ],
  [
    { command: 'harden', files: 'k8s/' },
    0,
    (ended) => assert.equal([ended.code, /input files: it is for check/.test(ended.log)], [4, true]),
  ],
  [
    { command: 'verify' },
    4,
    (ended) => assert.equal([ended.code, /exit code 4/.test(ended.summary)], [4, true]),
  ],
  [
    { command: 'check' },
    0,
    (ended) => assert.equal([ended.code, /input files: check needs/.test(ended.log)], [4, true]),
  ],
  [
    { command: 'rm -rf' },
    0,
    (ended) => assert.equal([ended.code, /input command: it must be/.test(ended.log)], [4, true]),
  ],
  [
    { command: 'verify', summary: 'false', artifact: '', 'node-version': '' },
    0,
    (ended) => assert.equal([ended.code, ended.summary, ended.used], [0, '', []]),
  ],
];
for (const [inputs, code, expected] of commands) {
  test(`${JSON.stringify(inputs)}, the command ends with ${code}`, () =>
    inTemporaryFolder(async (workspace) => {
      expected(await runAction({ workspace, inputs, actionPath: fakeAction(workspace, code) }));
      assert.not.ok(existsSync(join(workspace, 'x')), 'an argument was run as a program');
    }));
}

test.run();
