// Runs the steps of action.yml on this machine, as GitHub's runner does: expressions, conditions, `shell: bash`
// (`bash --noprofile --norc -eo pipefail`), outputs and the summary in files. Steps that use another action are not run; what they would be
// given is returned.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from './rollproof.ts';

interface Step {
  readonly id?: string;
  readonly name?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly shell?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly 'working-directory'?: string;
}
interface ActionFile {
  readonly name: string;
  readonly description: string;
  readonly inputs: Readonly<Record<string, { readonly description: string; readonly default?: string }>>;
  readonly outputs: Readonly<Record<string, { readonly description: string; readonly value: string }>>;
  readonly runs: { readonly using: string; readonly steps: readonly Step[] };
}

export const actionFile = parse(readFileSync(join(root, 'action.yml'), 'utf8')) as ActionFile;

export interface ActionRun {
  /** The workspace: where steps run. */
  readonly workspace: string;
  readonly inputs?: Readonly<Record<string, string>>;
  /** The context `github`: event_name, token, event …, as far as the steps ask. */
  readonly github?: Readonly<Record<string, unknown>>;
  /** Where the action itself lies (default: this repository). */
  readonly actionPath?: string;
  readonly env?: NodeJS.ProcessEnv;
}
export interface ActionEnded {
  /** Of the first step that failed; 0: none did. */
  readonly code: number;
  readonly log: string;
  readonly summary: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** Steps with `uses` that were reached, with their inputs. */
  readonly used: readonly { readonly uses: string; readonly with: Readonly<Record<string, string>> }[];
}

export async function runAction(run: ActionRun): Promise<ActionEnded> {
  const files = mkdtempSync(join(run.workspace, '.runner-'));
  const actionPath = run.actionPath ?? root;
  const github = { action_path: actionPath, token: 'token', event_name: 'push', event: {}, ...run.github };
  const inputs = Object.fromEntries(
    Object.entries(actionFile.inputs).map(([name, input]) => [
      name,
      run.inputs?.[name] ?? text(input.default ?? '', { github, inputs: {}, steps: {} }),
    ]),
  );
  const steps: Record<string, { outputs: Record<string, string> }> = {};
  const context = { github, inputs, steps };
  const used: { uses: string; with: Record<string, string> }[] = [];
  const summaryFile = join(files, 'summary');
  writeFileSync(summaryFile, '');
  writeFileSync(join(files, 'event.json'), JSON.stringify(github.event));
  let code = 0;
  let log = '';
  for (const [index, step] of actionFile.runs.steps.entries()) {
    if (code !== 0) break;
    if (step.if !== undefined && !truthy(text(step.if, context))) continue;
    const texts = (record: Readonly<Record<string, string>> = {}) =>
      Object.fromEntries(Object.entries(record).map(([name, value]) => [name, text(String(value), context)]));
    if (step.uses !== undefined) {
      used.push({ uses: step.uses, with: texts(step.with) });
      continue;
    }
    if (step.shell !== 'bash')
      throw new Error(`step ${index + 1}: a run step of a composite action needs a shell`);
    const output = join(files, `output-${index}`);
    const script = join(files, `step-${index}.sh`);
    writeFileSync(output, '');
    writeFileSync(script, text(step.run ?? '', context));
    const folder = join(run.workspace, text(step['working-directory'] ?? '.', context));
    mkdirSync(folder, { recursive: true });
    const ended = await bash(script, folder, {
      ...process.env,
      GITHUB_OUTPUT: output,
      GITHUB_STEP_SUMMARY: summaryFile,
      GITHUB_ACTION_PATH: actionPath,
      GITHUB_EVENT_PATH: join(files, 'event.json'),
      GITHUB_WORKSPACE: run.workspace,
      ...run.env,
      ...texts(step.env),
    });
    log += ended.log;
    code = ended.code;
    if (step.id) steps[step.id] = { outputs: outputsIn(readFileSync(output, 'utf8')) };
  }
  return {
    code,
    log,
    used,
    summary: readFileSync(summaryFile, 'utf8'),
    outputs: Object.fromEntries(
      Object.entries(actionFile.outputs).map(([name, { value }]) => [name, text(value, context)]),
    ),
  };
}

function bash(script: string, cwd: string, env: NodeJS.ProcessEnv): Promise<{ code: number; log: string }> {
  const child = spawn('bash', ['--noprofile', '--norc', '-eo', 'pipefail', script], { cwd, env });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      log += chunk;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: code ?? (signal ? 1 : 0), log }));
  });
}

function outputsIn(file: string): Record<string, string> {
  const lines = file.split('\n').filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

type Context = Readonly<Record<'github' | 'inputs' | 'steps', unknown>>;

/** GitHub's expressions as far as action.yml has them: a path, a string, true, `==`, `!=`, `&&`, `||`, parentheses. */
export function text(template: string, context: Context): string {
  return template.replace(/\$\{\{(.*?)\}\}/g, (_, expression: string) => {
    const value = evaluate(expression.trim(), context);
    return value === undefined || value === null ? '' : String(value);
  });
}

const truthy = (value: string): boolean => value !== '' && value !== 'false';

function evaluate(expression: string, context: Context): unknown {
  const tokens = expression.match(/'(?:[^']|'')*'|\(|\)|==|!=|&&|\|\||[\w.-]+/g) ?? [];
  let at = 0;
  const primary = (): unknown => {
    const token = tokens[at++];
    if (token === undefined) throw new Error(`"${expression}" ends too early`);
    if (token === '(') {
      const value = or();
      if (tokens[at++] !== ')') throw new Error(`"${expression}" lacks a ")"`);
      return value;
    }
    if (token.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'");
    if (token === 'true' || token === 'false') return token === 'true';
    return token
      .split('.')
      .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], context);
  };
  const comparison = (): unknown => {
    const left = primary();
    const operator = tokens[at];
    if (operator !== '==' && operator !== '!=') return left;
    at++;
    const equal = (left ?? '') === (primary() ?? '');
    return operator === '==' ? equal : !equal;
  };
  const and = (): unknown => {
    let value = comparison();
    while (tokens[at] === '&&') {
      at++;
      const right = comparison();
      value = value && right;
    }
    return value;
  };
  const or = (): unknown => {
    let value = and();
    while (tokens[at] === '||') {
      at++;
      const right = and();
      value = value || right;
    }
    return value;
  };
  const value = or();
  if (at !== tokens.length) throw new Error(`"${expression}": "${tokens[at]}" was not expected`);
  return value;
}
