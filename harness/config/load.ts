// Reads rollproof.yaml: finds it, parses it, validates it, resolves its paths. Everything wrong with it is a
// UsageError with file, line, column and field (exit code 4).
import { statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { type Document, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { messageOf, UsageError } from '../model/errors.ts';
import { readNamedText } from '../model/named-file.ts';
import { defineScenario, type ScenarioDefinition, type ScenarioInput } from '../model/scenario.ts';
import { type FieldPath, fieldName } from '../model/yaml-path.ts';
import { laneWithFiles } from './lane-files.ts';
import { nestedTooDeeply, nestingMessage } from './nesting.ts';
import { placeOf } from './place.ts';
import {
  configurationSchema,
  type Gate,
  gateSchema,
  type HelmSource,
  inlineScenarioSchema,
  type ParsedConfiguration,
} from './schema.ts';
import { droppedFields, type Problem, problemsOf } from './sentence.ts';

/** Names looked for in the working directory when no file is given. */
const configurationFiles = ['rollproof.yaml', 'rollproof.yml', 'rollproof.json'] as const;
const SIZE_LIMIT_BYTES = 1_000_000;
const PROBLEMS_SHOWN = 10;

/** The effective configuration. Paths of files and folders are relative to the working directory it was loaded for. */
export type Configuration = Omit<ParsedConfiguration, 'scenarios' | 'images' | '$schema'> & {
  /** `folder`: the configuration's own, where the command runs. */
  readonly images: Readonly<Record<string, ParsedConfiguration['images'][string] & { folder: string }>>;
  /** Ids, or scenarios that the configuration itself brings. Undefined: the profile's choice. */
  readonly scenarios?: readonly (string | ScenarioDefinition)[];
};

export interface LoadedConfiguration {
  readonly configuration: Configuration;
  /** The file it came from, as given or found; undefined: there was none, everything is default. */
  readonly file: string | undefined;
  /** "rollproof.yaml:3:5" of a field, or of the nearest one above it that is there; for messages. */
  at(path: FieldPath): string;
}

/** What exists, to refuse unknown names at their line. Left out: names are not checked here. */
export interface KnownNames {
  readonly scenarios?: readonly string[];
  readonly settings?: readonly string[];
  /** Why no variant has this name, beside those of the configuration and of its scenarios; undefined: one has. */
  readonly variantProblem?: (name: string, configured: Configuration['variants']) => string | undefined;
}

/**
 * Loads `file`, or one of {@link configurationFiles} in `cwd`, or the defaults when there is none.
 * @throws UsageError for an unreadable file and for everything wrong in it.
 */
export function loadConfiguration(
  file: string | undefined,
  cwd: string,
  known: KnownNames = {},
): LoadedConfiguration {
  const found = file ?? findConfiguration(cwd);
  if (!found)
    return {
      configuration: resolvePaths(configurationSchema.parse({}), '.', [], cwd),
      file: undefined,
      at: () => 'configuration',
    };
  const text = new ConfigurationText(found, readText(resolve(cwd, found), found));
  const parsed = text.parse(configurationSchema, 'rollproof configuration');
  checkNames(parsed, text, known);
  const folder = relative(cwd, dirname(resolve(cwd, found)));
  const scenarios = (parsed.scenarios ?? []).map((entry, index) =>
    scenarioOf(entry, index, text, folder, cwd),
  );
  checkScenarioIds(scenarios, text, known);
  checkTimes(parsed, text);
  if (parsed.gate) checkGate(parsed.gate, text, ['gate'], known, parsed.variants, scenarios);
  return {
    configuration: resolvePaths(parsed, folder, scenarios, cwd),
    file: found,
    at: (path) => text.at(path),
  };
}

/** A file with the fields of the configuration's section `gate`. Throws UsageError. */
export function loadGate(
  file: string,
  cwd: string,
  known: KnownNames = {},
  { variants = {}, scenarios = [] }: Partial<Pick<Configuration, 'variants' | 'scenarios'>> = {},
): Gate {
  const text = new ConfigurationText(file, readText(resolve(cwd, file), file));
  const gate = text.parse(gateSchema, 'gate');
  checkGate(gate, text, [], known, variants, scenarios);
  return gate;
}

function findConfiguration(cwd: string): string | undefined {
  const found = configurationFiles.filter((name) =>
    statSync(join(cwd, name), { throwIfNoEntry: false })?.isFile(),
  );
  if (found.length > 1)
    throw new UsageError(`${found.join(' and ')}: both are here; keep one, or choose with --config FILE.`);
  return found[0];
}

function readText(absolute: string, shown: string): string {
  try {
    return readNamedText(absolute, SIZE_LIMIT_BYTES);
  } catch (error) {
    throw new UsageError(`${shown}: ${messageOf(error)}.`, { cause: error });
  }
}

/** A YAML (or JSON) text with the places of its fields. */
class ConfigurationText {
  readonly file: string;
  private readonly document: Document.Parsed;
  private readonly lines = new LineCounter();
  private readonly value: unknown;

  constructor(file: string, text: string) {
    this.file = file;
    if (text.includes('\0'))
      throw new UsageError(`${file}: is not a text file; a configuration is YAML or JSON.`);
    if (nestedTooDeeply(text)) throw new UsageError(`${file}: ${nestingMessage}.`);
    this.document = parsedDocument(file, text, this.lines);
    const broken = this.document.errors[0];
    if (broken) {
      const { line, col } = this.lines.linePos(broken.pos[0]);
      const what =
        broken.code === 'MULTIPLE_DOCS'
          ? 'a configuration is one YAML document, and a second one starts here'
          : `is not valid YAML: ${broken.message.split('\n')[0]}`;
      throw new UsageError(`${file}:${line}:${col}: ${what.replace(/\.$/, '')}.`);
    }
    try {
      this.value = this.document.toJS({ maxAliasCount: 100 }) ?? {};
      // A text that contains itself, or is nested without end, fails here and nowhere later.
      JSON.stringify(this.value);
    } catch (error) {
      const why = (error as Error).message.split('\n', 1)[0]?.replace(/\.$/, '');
      throw new UsageError(`${file}:1:1: cannot be expanded: ${why}.`, { cause: error });
    }
    this.refuseUnusableNames(this.value, []);
  }

  /** JavaScript's own name for an object's prototype: as a key it would be dropped without a word. */
  private refuseUnusableNames(value: unknown, path: FieldPath): void {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      const innerPath = [...path, Array.isArray(value) ? Number(key) : key];
      if (key === '__proto__')
        this.refuse(innerPath, `${fieldName(innerPath)} is no usable name; take another.`, 'key');
      this.refuseUnusableNames(inner, innerPath);
    }
  }

  at(path: FieldPath): string {
    const { line, column } = placeOf(this.document, this.lines, path);
    return `${this.file}:${line}:${column}`;
  }

  parse<Schema extends z.ZodType>(schema: Schema, what: string): z.output<Schema> {
    if (typeof this.value !== 'object' || Array.isArray(this.value))
      this.refuse(
        [],
        `a ${what} is an object with fields, not ${Array.isArray(this.value) ? 'a list' : 'a text'}.`,
      );
    const result = schema.safeParse(this.value);
    if (result.success) return result.data;
    return this.refuseAll(problemsOf(result.error.issues, this.value));
  }

  /** All problems in the order of the file. */
  refuseAll(problems: readonly Problem[]): never {
    const placed = problems
      .map((problem) => ({ ...placeOf(this.document, this.lines, problem.path, problem.at), problem }))
      .sort((a, b) => a.line - b.line || a.column - b.column)
      .map(({ line, column, problem }) => `${this.file}:${line}:${column}: ${problem.sentence}`);
    const shown = placed.slice(0, PROBLEMS_SHOWN);
    if (placed.length > PROBLEMS_SHOWN)
      shown.push(`${this.file}: and ${placed.length - PROBLEMS_SHOWN} more.`);
    throw new UsageError(shown.join('\n'));
  }

  /** What stands at a field, as it was written. */
  given(path: FieldPath): unknown {
    return path.reduce<unknown>(
      (value, step) => (value as Record<PropertyKey, unknown> | undefined)?.[step],
      this.value,
    );
  }

  refuse(path: FieldPath, sentence: string, at: 'value' | 'key' = 'value'): never {
    this.refuseAll([{ path, sentence, at }]);
  }
}

function parsedDocument(file: string, text: string, lineCounter: LineCounter): Document.Parsed {
  try {
    return parseDocument(text, { lineCounter, prettyErrors: false, merge: true });
  } catch (error) {
    throw new UsageError(`${file}:1:1: is not valid YAML: ${(error as Error).message}.`, { cause: error });
  }
}

const builtInVariants = ['baseline', 'hardened', 'ablation', 'as-is', 'all'];

function checkNames(parsed: ParsedConfiguration, text: ConfigurationText, known: KnownNames): void {
  for (const [name, settings] of Object.entries(parsed.variants)) {
    if (builtInVariants.includes(name))
      text.refuse(
        ['variants', name],
        `${fieldName(['variants', name])} is built in; give yours another name.`,
        'key',
      );
    for (const [index, setting] of settings.entries()) {
      const path = ['variants', name, index];
      if (settings.indexOf(setting) !== index)
        text.refuse(path, `${fieldName(path)} names "${setting}" a second time.`);
      if (known.settings && !known.settings.includes(setting))
        text.refuse(
          path,
          `${fieldName(path)} is no setting: "${setting}"; there are ${known.settings.join(', ')}.`,
        );
    }
  }
}

/** Names of the gate's variants: a gate for one that there cannot be would be open for ever. */
function checkGate(
  { variants }: Gate,
  text: ConfigurationText,
  path: FieldPath,
  { variantProblem }: KnownNames,
  configured: Configuration['variants'],
  scenarios: NonNullable<Configuration['scenarios']>,
): void {
  if (!variantProblem) return;
  const cases = scenarios.flatMap((one) => (typeof one === 'string' ? [] : Object.keys(one.full.cases)));
  for (const [index, name] of (variants ?? []).entries()) {
    const problem = cases.includes(name) ? undefined : variantProblem(name, configured);
    const field = [...path, 'variants', index];
    if (problem) text.refuse(field, `${fieldName(field)}: ${problem}`);
  }
}

/** Times that contradict one another. */
function checkTimes({ load }: ParsedConfiguration, text: ConfigurationText): void {
  const { timeoutMs, holdMs, durationLimits = {} } = load;
  if (timeoutMs !== undefined && holdMs !== undefined && holdMs >= timeoutMs)
    text.refuse(
      ['load', 'holdMs'],
      `load.holdMs must be less than load.timeoutMs (${timeoutMs}), not ${holdMs}: every long request would end at its limit.`,
    );
  const { warmUpMs = 0, tailMs = 0, limitMs } = durationLimits;
  if (limitMs !== undefined && limitMs <= warmUpMs + tailMs)
    text.refuse(
      ['load', 'durationLimits', 'limitMs'],
      `load.durationLimits.limitMs must be more than warmUpMs and tailMs together (${warmUpMs + tailMs}), not ${limitMs}.`,
    );
}

function checkScenarioIds(
  scenarios: readonly (string | ScenarioDefinition)[],
  text: ConfigurationText,
  known: KnownNames,
): void {
  const seen = new Set<string>();
  for (const [index, scenario] of scenarios.entries()) {
    const id = typeof scenario === 'string' ? scenario : scenario.id;
    if (typeof scenario !== 'string' && known.scenarios?.includes(id))
      text.refuse(
        ['scenarios', index],
        `scenarios[${index}] has the id "${id}", which a built-in scenario has; give yours another.`,
      );
    if (seen.has(id)) text.refuse(['scenarios', index], `scenarios[${index}] names "${id}" a second time.`);
    seen.add(id);
    if (typeof scenario === 'string' && known.scenarios && !known.scenarios.includes(scenario))
      text.refuse(
        ['scenarios', index],
        `scenarios[${index}] is no scenario: "${scenario}"; \`rollproof list\` shows them, and a file ends in .yaml, .yml or .json.`,
      );
  }
}

function scenarioOf(
  entry: NonNullable<ParsedConfiguration['scenarios']>[number],
  index: number,
  text: ConfigurationText,
  folder: string,
  cwd: string,
): string | ScenarioDefinition {
  if (typeof entry === 'string') {
    if (!/\.(ya?ml|json)$/.test(entry)) return entry;
    const file = inFolder(folder, entry);
    const own = new ConfigurationText(file, readScenario(resolve(cwd, file), file, index, text));
    return definition(own.parse(inlineScenarioSchema, 'scenario'), own, []);
  }
  return definition(entry, text, ['scenarios', index]);
}

function readScenario(absolute: string, shown: string, index: number, text: ConfigurationText): string {
  try {
    return readText(absolute, shown);
  } catch (error) {
    if (error instanceof UsageError)
      text.refuse(['scenarios', index], `scenarios[${index}]: ${error.message}`);
    throw error;
  }
}

function definition(
  { quick, ...full }: z.output<typeof inlineScenarioSchema>,
  text: ConfigurationText,
  path: FieldPath,
): ScenarioDefinition {
  const { quick: _, ...given } = text.given(path) as Record<string, unknown>;
  const dropped = [...droppedFields(given, full, path)];
  if (quick) {
    const both = { ...full, ...quick };
    const checked = inlineScenarioSchema.safeParse(both);
    if (!checked.success) {
      const inQuick = problemsOf(checked.error.issues, both).map((problem) => ({
        ...problem,
        path: [...path, 'quick', ...problem.path],
        sentence: `${fieldName([...path, 'quick'])}: ${problem.sentence}`,
      }));
      return text.refuseAll(inQuick);
    }
    dropped.push(...droppedFields(quick, checked.data, [...path, 'quick']));
  }
  if (dropped.length > 0) text.refuseAll(dropped);
  return defineScenario(full as ScenarioInput, quick as Partial<ScenarioInput> | undefined);
}

function resolvePaths(
  { $schema: _, scenarios: __, ...parsed }: ParsedConfiguration,
  folder: string,
  scenarios: readonly (string | ScenarioDefinition)[],
  cwd: string,
): Configuration {
  const { target, cluster, out, load } = parsed;
  return {
    ...parsed,
    ...(load.lanes && {
      load: {
        ...load,
        lanes: load.lanes.map((lane, index) =>
          typeof lane === 'string' ? lane : laneWithFiles(lane, resolve(cwd, folder), `load.lanes[${index}]`),
        ),
      },
    }),
    images: Object.fromEntries(
      Object.entries(parsed.images).map(([name, image]) => [name, { ...image, folder: folder || '.' }]),
    ),
    ...(target && {
      target: {
        ...target,
        ...(target.manifests && { manifests: target.manifests.map((file) => inFolder(folder, file)) }),
        ...(target.kustomize !== undefined && { kustomize: inFolder(folder, target.kustomize) }),
        ...(target.helm && { helm: helmInFolder(folder, target.helm, cwd) }),
      },
    }),
    cluster: { ...cluster, ...(cluster.kubeconfig && { kubeconfig: inFolder(folder, cluster.kubeconfig) }) },
    ...(out && { out: inFolder(folder, out) }),
    ...(scenarios.length > 0 && { scenarios }),
  };
}

/** A chart is a path where there is something at it; anything else is a reference for helm to find. */
function helmInFolder(folder: string, helm: HelmSource, cwd: string): HelmSource {
  const path = inFolder(folder, helm.chart);
  const isPath =
    /^[./]/.test(helm.chart) || statSync(resolve(cwd, path), { throwIfNoEntry: false }) !== undefined;
  return {
    ...helm,
    chart: isPath ? path : helm.chart,
    ...(helm.values && { values: helm.values.map((file) => inFolder(folder, file)) }),
  };
}

function inFolder(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}
