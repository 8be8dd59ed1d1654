// What `rollproof check` prints and how it ends: text, JSON, SARIF, exit codes; good manifests have no finding.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import { Command } from 'commander';
import * as assert from 'uvu/assert';
import { checkManifests } from '../../harness/check/check.ts';
import { rules } from '../../harness/check/rules/index.ts';
import { registerCheck, runCheck } from '../../harness/commands/check.ts';
import { type Finding, findingSchema } from '../../harness/model/finding.ts';
import { suite } from '../suite.ts';

const test = suite('check-output');
const data = new URL('../data/manifests/', import.meta.url);
const options = { kubernetes: 34 };

const risky = `apiVersion: apps/v1
kind: Deployment
metadata:
  {name: web, annotations: {rollproof.dev/ignore: "no-disruption-budget, no-spread"}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`;
const warned = risky.replace(
  'image: web:1',
  'image: web:1\n          readinessProbe: {tcpSocket: {port: 80}}',
);

async function inFolder<T>(
  files: Record<string, string | Buffer>,
  body: (folder: string) => T | Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-check-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function rejects(promise: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason as Error,
  );
  assert.match(error?.message ?? 'nothing was thrown', message);
}

test('good manifests, as well-known projects write them, have no finding but notes', async () => {
  const folder = new URL('good/', data);
  const files = readdirSync(folder);
  assert.ok(files.length >= 8);
  for (const file of files) {
    const report = checkManifests([{ file, text: readFileSync(new URL(file, folder), 'utf8') }]);
    assert.equal(report.problems, [], file);
    assert.equal(
      report.findings
        .filter(({ severity }) => severity !== 'note')
        .map((finding) => `${finding.line} ${finding.rule} ${finding.message}`),
      [],
      file,
    );
    assert.ok(report.workloads > 0, file);
  }
});

test('exit codes: 0 no error, 1 an error, 4 not readable (and the rest is still told)', async () => {
  await inFolder(
    {
      'risky.yaml': risky,
      'warned.yaml': warned,
      'empty.yaml': '',
      'broken.yaml': `a: [\n---\n${risky}`,
      'values.yaml': 'a: 1\n',
    },
    async (folder) => {
      const run = async (...names: string[]) => {
        const { code, problems, output } = await runCheck(
          names.map((name) => join(folder, name)),
          options,
        );
        return { code, problems: problems.map((line) => line.replace(`${folder}/`, '')), output };
      };
      assert.is((await run('risky.yaml')).code, 1);
      assert.is((await run('warned.yaml')).code, 0);
      const broken = await run('broken.yaml');
      assert.is(broken.code, 4);
      assert.match(broken.problems[0]!, /^broken\.yaml:2:1: is not valid YAML/);
      assert.match(broken.output, /error no-readiness-probe/);
      assert.equal(await run('empty.yaml'), {
        code: 4,
        problems: ['empty.yaml: there is no Kubernetes object in it, so nothing was checked.'],
        output: '',
      });
      assert.is((await run('values.yaml')).code, 4);
      assert.is((await run('values.yaml', 'warned.yaml')).code, 0);
      await rejects(run('nope.yaml'), /nope\.yaml: there is no such file\.$/);
    },
  );
});

test('a folder is read with its folders; what is no manifest in it is passed over', async () => {
  await inFolder(
    {
      'a/risky.yaml': risky,
      'a/b/warned.yml': warned,
      'a/ci.yaml': 'jobs: [',
      'a/.hidden/x.yaml': risky,
      'a/node_modules/x.yaml': risky,
      'empty/readme.md': '',
    },
    async (folder) => {
      const findings: Finding[] = JSON.parse(
        (await runCheck([join(folder, 'a')], { ...options, json: true })).output,
      );
      assert.equal(
        [...new Set(findings.map((finding) => finding.file.split('/').at(-1)))],
        ['warned.yml', 'risky.yaml'],
      );
      await rejects(
        runCheck([join(folder, 'empty')], options),
        /the folder has no \.yaml, \.yml or \.json file/,
      );
    },
  );
});

test('the templates of a chart in a folder are one sentence', async () => {
  const template = 'apiVersion: v1\nkind: A\nname: {{ .Values.a }}\n';
  await inFolder(
    {
      'c/templates/a.yaml': template,
      'c/templates/b.yaml': template,
      'c/Chart.yaml': 'apiVersion: v2\nname: c\n',
      'c/values.yaml': 'a: "{{ x }}"\n',
      'm.yaml': risky,
    },
    async (folder) => {
      const { problems, code, output } = await runCheck([folder], options);
      assert.is(code, 4);
      assert.is(problems.length, 1);
      assert.match(
        problems[0]!,
        /c\/templates\/a\.yaml:3:7: is a template .* \(1 more in .*c\/templates, too\.\)$/,
      );
      assert.match(output, /no-readiness-probe/);
    },
  );
});

test('a byte order mark and UTF-16 are read', async () => {
  await inFolder(
    {
      'bom.yaml': `\uFEFF${risky}`,
      'utf16.yaml': Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(risky, 'utf16le')]),
    },
    async (folder) => {
      for (const name of ['bom.yaml', 'utf16.yaml']) {
        const { output, problems } = await runCheck([join(folder, name)], { ...options, json: true });
        assert.equal(problems, [], name);
        assert.equal(
          JSON.parse(output).map((finding: Finding) => finding.line),
          [12, 12],
          name,
        );
      }
    },
  );
});

test('JSON: a list of findings with rule, file, line, severity, message, fix, scenario', async () => {
  await inFolder({ 'm.yaml': risky }, async (folder) => {
    const file = join(folder, 'm.yaml');
    const findings: unknown[] = JSON.parse((await runCheck([file], { ...options, json: true })).output);
    assert.is(findings.length, 2);
    for (const finding of findings) findingSchema.parse(finding);
    const [first] = findings as Finding[];
    assert.equal(
      { ...first, message: '', why: '', fix: '' },
      {
        rule: 'no-readiness-probe',
        file,
        line: 12,
        column: 11,
        severity: 'error',
        object: 'Deployment web',
        message: '',
        why: '',
        fix: '',
        scenario: 'image-change',
      },
    );
    assert.is(
      (await runCheck([file], { ...options, json: true })).output,
      (await runCheck([file], { ...options, json: true })).output,
    );
  });
  await inFolder({ 'm.yaml': 'apiVersion: v1\nkind: Namespace\n' }, async (folder) =>
    assert.is((await runCheck([join(folder, 'm.yaml')], { ...options, json: true })).output, '[]\n'),
  );
});

test('text: a line per finding that editors understand, then why, fix and scenario', async () => {
  await inFolder({ 'm.yaml': risky }, async (folder) => {
    const { output } = await runCheck([join(folder, 'm.yaml')], options);
    const lines = output.replaceAll(`${folder}/`, '').split('\n');
    assert.match(lines[0]!, /^m\.yaml:12 error no-readiness-probe container "web" of Deployment web/);
    assert.match(lines[1]!, /^ {2}why: /);
    assert.equal(lines.slice(2, 8), [
      '  fix:',
      '              # in spec.template.spec.containers[0]',
      '              readinessProbe:',
      '                tcpSocket:',
      '                  port: 80',
      '                periodSeconds: 5',
    ]);
    assert.ok(lines.includes('  see it: rollproof verify --scenario image-change'));
    assert.is(lines.at(-2), '1 error, 1 warning (2 objects read, 1 workload checked).');
  });
});

test('SARIF is valid 2.1.0, its places and replacements are those of the findings', async () => {
  const schema = JSON.parse(readFileSync(new URL('sarif-2.1.0.schema.json', data), 'utf8'));
  // The published schema is draft 4; without its id it reads the same as draft 7.
  const { $schema: _, id: __, ...draft7 } = schema;
  const validate = new Ajv({ strict: false, validateFormats: false, unicodeRegExp: false }).compile(draft7);
  await inFolder(
    { 'm y.yaml': risky, 'broken.yaml': 'a: [\n', 'short.yaml': 'apiVersion: batch/v1beta1\nkind: CronJob' },
    async (folder) => {
      const files = ['m y.yaml', 'broken.yaml', 'short.yaml'].map((name) => join(folder, name));
      const { output } = await runCheck(files, { ...options, sarif: true });
      const log = JSON.parse(output);
      assert.ok(validate(JSON.parse(output)), JSON.stringify(validate.errors?.[0]));
      const [run] = log.runs;
      assert.equal(
        run.tool.driver.rules.map((rule: { id: string }) => rule.id),
        rules.map((rule) => rule.id),
      );
      assert.is(run.invocations[0].toolExecutionNotifications.length, 1);
      const expected = checkManifests(
        files.map((file) => ({ file, text: readFileSync(file, 'utf8') })),
      ).findings;
      assert.is(run.results.length, expected.length);
      for (const [index, result] of run.results.entries()) {
        const finding = expected[index]!;
        assert.is(run.tool.driver.rules[result.ruleIndex].id, result.ruleId);
        const place = result.locations[0].physicalLocation;
        assert.is(place.region.startLine, finding.line);
        assert.is(decodeURIComponent(place.artifactLocation.uri), finding.file);
        const [replacement] = result.fixes[0].artifactChanges[0].replacements;
        assert.is(replaced(readFileSync(finding.file, 'utf8'), replacement), finding.fixed().text);
      }
    },
  );
  assert.not.ok(
    validate({ version: '2.1.0', runs: [{ results: [{}] }] }),
    'the schema refuses what is wrong',
  );
});

interface Replacement {
  readonly deletedRegion: Record<'startLine' | 'startColumn' | 'endLine' | 'endColumn', number>;
  readonly insertedContent: { readonly text: string };
}
function replaced(text: string, { deletedRegion, insertedContent }: Replacement): string {
  const starts = [0];
  for (const match of text.matchAll(/\n/g)) starts.push(match.index + 1);
  const offset = (line: number, column: number) => starts[line - 1]! + column - 1;
  const { startLine, startColumn, endLine, endColumn } = deletedRegion;
  return (
    text.slice(0, offset(startLine, startColumn)) +
    insertedContent.text +
    text.slice(offset(endLine, endColumn))
  );
}

test('every rule is documented, with its severity and scenario', async () => {
  const text = readFileSync(new URL('../../docs/check.md', import.meta.url), 'utf8');
  for (const { id, severity, scenario } of rules) {
    const row = text.split('\n').find((line) => line.startsWith(`| \`${id}\` |`));
    assert.ok(row, `docs/check.md has no row for ${id}`);
    assert.ok(row.includes(`| ${severity}`), `docs/check.md: ${id} is of severity ${severity}`);
    assert.ok(row.includes(`\`${scenario}\``), `docs/check.md: ${id} is shown by ${scenario}`);
  }
});

test(
  'the command line: standard input, both formats at once, a wrong version',
  () => {
    const program = () => {
      const command = new Command('rollproof').exitOverride().configureOutput({ writeErr: () => {} });
      registerCheck(command);
      for (const own of command.commands) own.exitOverride().configureOutput({ writeErr: () => {} });
      return command;
    };
    const parse = (...args: string[]) => program().parse(['check', ...args], { from: 'user' });
    assert.throws(() => parse('x.yaml', '--json', '--sarif'), /cannot be used with option/);
    assert.throws(() => parse('x.yaml', '--kubernetes', 'new'), /written like 1\.34/);
    assert.throws(() => parse(), /missing required argument/);
    const script = `
    import { Command } from 'commander';
    import { registerCheck } from './harness/commands/check.ts';
    const program = new Command();
    registerCheck(program);
    program.parse(process.argv.slice(1), { from: 'user' });`;
    const run = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', script, 'check', '-', '--json'],
      { cwd: new URL('../..', import.meta.url), input: risky, encoding: 'utf8', timeout: 60_000 },
    );
    assert.is(run.status, 1, run.stderr);
    assert.equal(
      JSON.parse(run.stdout).map((finding: Finding) => finding.file),
      ['stdin', 'stdin'],
    );
  },
  { timeoutMs: 90_000 },
);

test('a folder: objects on one line, of JSON and of YAML, are read like all others', async () => {
  const files = {
    'a.json': JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } }),
    'b.yaml': '{kind: Pod, metadata: {name: b}, apiVersion: v1}\n',
    'values.json': '{"kind": "none"}\n',
  };
  await inFolder(files, async (folder) => {
    assert.match((await runCheck([folder], options)).output, /2 objects read/);
  });
});

test('--fix keeps the encoding of a file, and its byte order mark', async () => {
  await inFolder({ 'a.yaml': `\uFEFF${risky}` }, async (folder) => {
    const wide = join(folder, 'b.yaml');
    writeFileSync(wide, Buffer.from(`\uFEFF${risky}`, 'utf16le'));
    const { output } = await runCheck([folder], { ...options, fix: true });
    assert.match(output, /4 findings fixed in 2 files\./);
    const narrow = readFileSync(join(folder, 'a.yaml'), 'utf8');
    assert.match(narrow, /^\uFEFFapiVersion: apps\/v1\n/);
    assert.match(narrow, /readinessProbe:/);
    assert.is(readFileSync(wide, 'utf16le'), narrow);
  });
});

test('--fix writes what was checked again, keeps the rest byte for byte, and is done after one time', async () => {
  const crlf = risky.replaceAll('\n', '\r\n');
  const bare = risky.slice(0, risky.indexOf('---'));
  const noNewline = `${risky.slice(risky.indexOf('---') + 4)}---\n${bare}`.trimEnd();
  await inFolder({ 'a.yaml': risky, 'b/crlf.yaml': crlf, 'c/end.yaml': noNewline }, async (folder) => {
    const dry = await runCheck([folder], { ...options, fix: true, dryRun: true });
    assert.match(dry.output, /^\+ {10}readinessProbe:/m);
    assert.is(readFileSync(join(folder, 'a.yaml'), 'utf8'), risky, 'a dry run writes nothing');
    const first = await runCheck([folder], { ...options, fix: true });
    assert.is(first.code, 0, first.output);
    assert.match(first.output, /6 findings fixed in 3 files\./);
    const written = readFileSync(join(folder, 'a.yaml'), 'utf8');
    for (const line of risky.split('\n')) assert.ok(written.includes(line), line);
    assert.not.match(readFileSync(join(folder, 'b/crlf.yaml'), 'utf8'), /[^\r]\n/);
    const again = await runCheck([folder], { ...options, fix: true });
    assert.match(again.output, /0 findings fixed in 0 files\./);
    assert.is(readFileSync(join(folder, 'a.yaml'), 'utf8'), written);
  });
});

test('one unreadable file is named, and the rest is checked; links are followed, also in a circle', async () => {
  await inFolder({ 'a.yaml': warned, 'sub/b.txt': 'x' }, async (folder) => {
    symlinkSync('nowhere.yaml', join(folder, 'dangling.yaml'));
    symlinkSync(folder, join(folder, 'sub', 'circle'));
    writeFileSync(join(folder, 'real.txt'), risky.replaceAll('web', 'linked'));
    symlinkSync(join(folder, 'real.txt'), join(folder, 'linked.yaml'));
    const { code, problems, output } = await runCheck([folder, folder], options);
    assert.is(code, 4);
    assert.match(problems.join('\n'), /dangling\.yaml: there is no such file\./);
    assert.match(output, /Deployment linked has no readinessProbe/);
    assert.match(output, /2 workloads checked/, 'a file that is met twice is checked once');
  });
});

test(
  'a pipe is read to its end; one into which nobody writes is not waited for; a device is no file',
  async () => {
    await inFolder({ 'a.yaml': warned, 'b.yaml': risky }, async (folder) => {
      const pipe = join(folder, 'pipe');
      assert.is(spawnSync('mkfifo', [pipe]).status, 0);
      const slowly = 'exec > pipe; cat a.yaml; sleep 0.3; echo ---; cat b.yaml';
      const writer = spawn('sh', ['-c', slowly], { cwd: folder, stdio: 'ignore' });
      const [{ output }] = await Promise.all([runCheck([pipe], options), once(writer, 'exit')]);
      assert.match(output, /2 workloads checked/);
      const why = (file: string) => runCheck([file], options).then(String, (error: Error) => error.message);
      assert.match(await why(pipe), /pipe: nobody wrote into this pipe within 5 s\.$/);
      assert.is(await why('/dev/zero'), '/dev/zero: is a device or a socket, not a file.');
    });
  },
  { skip: process.platform === 'linux' ? undefined : 'a pipe and /dev/zero as Linux has them' },
);

test('charts and kustomizations are rendered; without the program, or when it fails, their files are read', async () => {
  const files = {
    'k/kustomization.yaml': 'resources: [d.yaml]\n',
    'k/d.yaml': warned,
    'c/Chart.yaml': 'apiVersion: v2\nname: c\n',
    'c/templates/d.yaml': 'apiVersion: v1\nkind: A\nname: {{ .Values.a }}\n',
  };
  await inFolder(files, async (folder) => {
    const asked: string[] = [];
    const rendered = await runCheck([folder], options, undefined, async (program, args) => {
      asked.push(`${program} ${args.join(' ')}`.replace(folder, '.'));
      return program === 'helm' ? `# Source: c/templates/d.yaml\n${risky}` : warned;
    });
    assert.equal(asked, ['helm template c ./c --kube-version 1.34.0', 'kubectl kustomize ./k']);
    assert.match(rendered.output, /c\/rendered\.yaml:\d+ error no-readiness-probe/);
    assert.equal(rendered.problems, []);
    assert.match(rendered.output, /c\/rendered\.yaml.*\n {2}made from: \S+c\/templates\/d\.yaml\n/);
    assert.match(rendered.output, /k\/rendered\.yaml.*\n {2}made from: \S+k\/d\.yaml\n/);
    const fixed = await runCheck([folder], { ...options, fix: true }, undefined, async () => risky);
    assert.match(fixed.output, /0 findings fixed/, 'rendered text is no place for a fix');
    const failed = await runCheck([folder], options, undefined, async () => {
      throw new Error('no such value');
    });
    assert.match(failed.problems.join('\n'), /helm cannot render it: no such value/);
    const missing = await runCheck([folder], options, undefined, async () => undefined);
    assert.match(missing.problems.join('\n'), /has not been rendered/);
    assert.match(missing.output, /warning no-prestop/);
  });
});

test(
  'a chart and helm itself: findings name the template; a value that is missing is told in helm’s words',
  async () => {
    const template = risky.replace(
      'replicas: 2',
      'replicas: {{ required "replicas are needed" .Values.replicas }}',
    );
    const files = {
      'web/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 0.1.0\n',
      'web/values.yaml': 'replicas: 2\n',
      'web/templates/web.yaml': template,
      'bad/Chart.yaml': 'apiVersion: v2\nname: bad\nversion: 0.1.0\n',
      'bad/templates/web.yaml': template,
    };
    await inFolder(files, (folder) => {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ['scripts/rollproof.mjs', 'check', folder],
        { cwd: new URL('../..', import.meta.url), encoding: 'utf8', timeout: 60_000 },
      );
      assert.is(status, 4, stderr);
      assert.match(stdout, /web\/rendered\.yaml:\d+ error no-readiness-probe/);
      assert.match(stdout, /\n {2}made from: \S+\/web\/templates\/web\.yaml\n/);
      assert.match(stderr, /bad: helm cannot render it: .*replicas are needed\.\n/);
    });
  },
  {
    timeoutMs: 90_000,
    skip: spawnSync('helm', ['version']).status === 0 ? undefined : 'no helm on the PATH',
  },
);

test('of a rule an object has at most 50 findings, and the last one says how many more there are', async () => {
  const ports = Array.from({ length: 200 }, (_, index) => `{name: p${index}, port: ${index + 1}}`);
  const many = risky
    .replace('image: web:1', 'image: web:1\n          ports: [{containerPort: 80}]')
    .replace('ports: [{port: 80}]', `ports: [${ports.join(', ')}]`);
  const { findings } = checkManifests([{ file: 'm.yaml', text: many }]);
  const told = findings.filter(({ rule }) => rule === 'undeclared-port');
  assert.is(told.length, 50);
  assert.match(told.at(-1)?.message ?? '', /\(149 more of this rule in this object\.\)$/);
  assert.not.match(told[0]?.message ?? '', /more of this rule/);
});

test('no workload is never silence', async () => {
  await inFolder({ 'm.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n' }, async (folder) => {
    const { code, problems, output } = await runCheck([join(folder, 'm.yaml')], options);
    assert.is(code, 0);
    assert.match(output, /nothing found \(1 object read, 0 workloads checked\)/);
    assert.match(problems.join('\n'), /no workload was checked: the object in it is none of/);
  });
});

test('an object that is too long to hold a risk is one all the same', async () => {
  const long = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  page: "${'x'.repeat(300_000)}"\n`;
  await inFolder({ 'm.yaml': long, 'warned.yaml': warned }, async (folder) => {
    const { code, problems, output } = await runCheck([join(folder, 'm.yaml')], options);
    assert.is(code, 0);
    assert.match(problems.join('\n'), /no workload was checked: the object in it is none of Deployment/);
    assert.match(output, /nothing found \(1 object read, 0 workloads checked\)/);
    const both = await runCheck([join(folder, 'm.yaml'), join(folder, 'warned.yaml')], options);
    assert.equal(both.problems, []);
  });
});

test('parts of a workload alone are no clean manifest', async () => {
  const patch = 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}\n';
  await inFolder({ 'patch.yaml': patch, 'warned.yaml': warned }, async (folder) => {
    const run = (...names: string[]) =>
      runCheck(
        names.map((name) => join(folder, name)),
        options,
      );
    const alone = await run('patch.yaml');
    assert.is(alone.code, 4);
    assert.match(
      alone.problems.join('\n'),
      /only parts of a workload \(patches\) are in it \(Deployment web\)/,
    );
    assert.is(alone.problems.length, 1);
    assert.is((await run('patch.yaml', 'warned.yaml')).code, 0);
  });
});

test.run();
