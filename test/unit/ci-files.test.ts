// What people copy into their CI and cluster: read as what it is, and its shell lines run with a program in the place of
// rollproof. The GitHub Action has a test of its own (test/slow/action.test.ts).
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { parse, parseAllDocuments } from 'yaml';
import { watchRbacText } from '../../harness/cluster/context/rbac-text.ts';
import { root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('files for CI and cluster');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

interface GitlabJob {
  readonly extends?: string;
  readonly script?: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly artifacts?: { readonly reports?: Readonly<Record<string, string>> };
}

test('GitLab: each job runs its command with files and arguments as they are, and keeps the exit code', () => {
  const jobs = parse(read('ci/gitlab.yml')) as Record<string, GitlabJob>;
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-gitlab-'));
  try {
    const program = join(folder, 'rollproof.sh');
    writeFileSync(program, '#!/bin/sh\nfor one in "$@"; do printf "<%s>" "$one"; done\nexit 1\n', {
      mode: 0o755,
    });
    const cases: Record<string, [Record<string, string>, string]> = {
      '.rollproof-check': [
        { ROLLPROOF_FILES: 'k8s/ *.yaml', ROLLPROOF_ARGS: '--json' },
        '<check><--json><k8s/><*.yaml>',
      ],
      '.rollproof-verify': [
        { ROLLPROOF_ARGS: '--scenario a' },
        '<verify><--out><rollproof-report><--scenario><a>',
      ],
      '.rollproof-watch': [
        { ROLLPROOF_ARGS: '--service web', ROLLPROOF_COMMAND: 'helm upgrade web ./chart' },
        '<watch><--out><rollproof-report><--service><web><--><helm><upgrade><web><./chart>',
      ],
    };
    assert.equal(Object.keys(jobs), ['.rollproof', ...Object.keys(cases)]);
    for (const [name, [variables, expected]] of Object.entries(cases)) {
      const job = jobs[name] as GitlabJob;
      assert.is(job.extends, '.rollproof');
      // GitLab's runner starts the lines as one script with errexit and pipefail.
      const { status, stdout } = spawnSync('bash', ['-eo', 'pipefail', '-c', (job.script ?? []).join('\n')], {
        cwd: folder,
        env: {
          PATH: process.env.PATH,
          ...jobs['.rollproof']?.variables,
          ...job.variables,
          ROLLPROOF: program,
          ...variables,
        },
        encoding: 'utf8',
      });
      assert.is(stdout, expected, name);
      assert.is(status, 1, name);
    }
    assert.is(jobs['.rollproof-verify']?.artifacts?.reports?.junit, 'rollproof-report/junit.xml');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('issue templates ask for the journal, and are what GitHub takes', () => {
  const folder = '.github/ISSUE_TEMPLATE';
  const forms = readdirSync(join(root, folder)).filter((name) => name !== 'config.yml');
  assert.ok(forms.length >= 2);
  for (const name of forms) {
    const form = parse(read(`${folder}/${name}`));
    assert.ok(form.name && form.description, name);
    const ids = form.body.map(({ id }: { id?: string }) => id).filter(Boolean);
    assert.is(new Set(ids).size, ids.length);
    assert.ok(ids.includes('journal'), `${name} does not ask for the journal`);
    for (const { type, attributes } of form.body) {
      assert.ok(['markdown', 'textarea', 'input', 'dropdown', 'checkboxes'].includes(type), type);
      assert.ok(type === 'markdown' ? attributes.value : attributes.label, name);
    }
  }
});

test('the changelog has a section for the version and for every tag, the newest first', () => {
  const versions = [...read('CHANGELOG.md').matchAll(/^## (\d+\.\d+\.\d+)$/gm)].map(
    (match) => match[1] as string,
  );
  const { version } = JSON.parse(read('package.json'));
  assert.is(versions[0], version);
  const tags = spawnSync('git', ['tag', '--list', 'v*'], { cwd: root, encoding: 'utf8' }).stdout ?? '';
  for (const tag of tags.split('\n').filter((name) => /^v\d+\.\d+\.\d+$/.test(name)))
    assert.ok(versions.includes(tag.slice(1)), `CHANGELOG.md has no section for ${tag}`);
  const descending = versions.toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  assert.equal(versions, descending);
});

test('the manifests for a cluster: a Job and a CronJob that are no root, with a Role and nothing wider', () => {
  const objects = parseAllDocuments(read('examples/in-cluster.yaml')).map((document) => document.toJS());
  const kinds = objects.map(({ kind }) => kind);
  for (const kind of ['ServiceAccount', 'Role', 'RoleBinding', 'ConfigMap', 'CronJob', 'Job'])
    assert.ok(kinds.includes(kind), kind);
  assert.not.ok(kinds.some((kind) => /^Cluster/.test(kind)));
  for (const { kind, spec } of objects.filter((one) => /Job$/.test(one.kind))) {
    const pod = (kind === 'CronJob' ? spec.jobTemplate.spec : spec).template.spec;
    assert.is(pod.securityContext.runAsNonRoot, true);
    const [container] = pod.containers;
    assert.is(container.args[0], 'watch');
    assert.equal(container.securityContext.capabilities.drop, ['ALL']);
    assert.is(container.securityContext.readOnlyRootFilesystem, true);
    assert.is(pod.serviceAccountName, 'rollproof');
    assert.is(pod.restartPolicy, 'Never');
  }
  // What `rollproof rbac --watch` prints, and nothing else.
  const printed = parseAllDocuments(
    watchRbacText({ namespace: 'shop', agentNamespace: 'shop' }, 'rollproof'),
  ).map((document) => document.toJS());
  for (const one of printed)
    assert.equal(
      objects.find(({ kind }) => kind === one.kind),
      one,
      one.kind,
    );
});

test('the image: nothing is fetched, the user is a number, what is copied is what npm run package makes', () => {
  const text = read('Dockerfile');
  assert.match(text, /^USER \d+:\d+$/m);
  assert.not.match(text, /\b(curl|wget|npm (ci|install)|apt)\b/);
  assert.match(text, /^ENTRYPOINT \["node", "\/app\/scripts\/rollproof\.mjs"\]$/m);
  assert.ok(existsSync(join(root, 'scripts', 'package.ts')));
});

test.run();
