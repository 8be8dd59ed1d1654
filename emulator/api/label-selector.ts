// Label selectors: the text form of list requests and the object form in specs.
// Source: apimachinery/pkg/labels/selector.go, pkg/apis/meta/v1/helpers.go.
import { badRequest } from './errors.ts';
import type { KubeObject } from './objects.ts';

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly SelectorRequirement[];
}

export interface SelectorRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

type Labels = Readonly<Record<string, string>>;

/** Nothing is selected by an absent selector, everything by an empty one. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  if (!selector) return false;
  return (
    matchesLabels(selector.matchLabels, labels) &&
    (selector.matchExpressions ?? []).every((requirement) => matchesRequirement(requirement, labels ?? {}))
  );
}

/** A ReplicationController selects by labels alone; a selector stays what it is. */
export function asSelector(
  selector: LabelSelector | Record<string, string> | undefined,
): LabelSelector | undefined {
  const { matchLabels, matchExpressions } = (selector ?? {}) as LabelSelector;
  // A label may be called matchLabels, too: its value is a text.
  if (!selector || typeof matchLabels === 'object' || Array.isArray(matchExpressions)) {
    return selector as LabelSelector | undefined;
  }
  return { matchLabels: selector as Record<string, string> };
}

/** Every wanted label is there; none wanted: matches. */
export function matchesLabels(wanted: Labels | undefined, labels: Labels | undefined): boolean {
  return Object.entries(wanted ?? {}).every(([key, value]) => labels?.[key] === value);
}

export function isEmptySelector(selector: LabelSelector | undefined): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions ?? []).length === 0;
}

/** metav1.FormatLabelSelector: sorted by key, "<none>" when empty. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  const parts = [
    ...Object.entries(selector?.matchLabels ?? {}).map(([key, value]): [string, string] => [
      key,
      `${key}=${value}`,
    ]),
    ...(selector?.matchExpressions ?? []).map(({ key, operator, values = [] }): [string, string] => {
      if (operator === 'Exists') return [key, key];
      if (operator === 'DoesNotExist') return [key, `!${key}`];
      return [key, `${key} ${operator.toLowerCase()} (${[...values].sort().join(',')})`];
    }),
  ];
  const texts = parts.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
  return texts.join(',') || '<none>';
}

/** In, NotIn, Exists, DoesNotExist; Gt and Lt (whole numbers) are for node selectors and the text form. */
export function matchesRequirement(
  { key, operator, values = [] }: SelectorRequirement,
  labels: Labels,
): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && wholeNumber(value) > wholeNumber(values[0]);
    case 'Lt':
      return value !== undefined && wholeNumber(value) < wholeNumber(values[0]);
    default:
      return false;
  }
}

// NaN compares false with everything, as an unparsable value does in Kubernetes.
function wholeNumber(text: string | undefined): number {
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** The labelSelector parameter. Throws 400 with the parser's own words. */
export function parseLabelSelector(text: string | null): (object: KubeObject) => boolean {
  if (!text?.trim()) return () => true;
  const requirements = parse(text);
  return ({ metadata }) =>
    requirements.every((requirement) => matchesRequirement(requirement, metadata.labels ?? {}));
}

/** The grammar of labels.Parser: requirement {"," requirement}. */
function parse(text: string): SelectorRequirement[] {
  const tokens = text.match(/==|!=|[=!,()<>]|[^=!,()<>\s]+/g) ?? [];
  const requirements: SelectorRequirement[] = [];
  let position = 0;
  const peek = () => tokens[position] ?? '';
  const take = () => tokens[position++] ?? '';
  while (position < tokens.length) {
    if (isSymbol(peek()) && peek() !== '!') throw unexpected(peek(), "!, identifier, or 'end of string'");
    requirements.push(parseRequirement(take, peek));
    const separator = take();
    if (separator === '') break;
    if (separator !== ',') throw unexpected(separator, "',' or 'end of string'");
    if (peek() === '' || (isSymbol(peek()) && peek() !== '!')) {
      throw unexpected(peek(), "identifier after ','");
    }
  }
  return requirements;
}

function parseRequirement(take: () => string, peek: () => string): SelectorRequirement {
  const absent = peek() === '!';
  if (absent) take();
  const key = take();
  if (key === '' || isSymbol(key)) throw unparsable(key, 'identifier');
  checkKey(key);
  if (absent || peek() === '' || peek() === ',') {
    return { key, operator: absent ? 'DoesNotExist' : 'Exists', values: [] };
  }
  const written = take();
  const operator = operators[written];
  if (!operator) throw unparsable(written, 'in, notin, =, ==, !=, gt, lt');
  const values = written === 'in' || written === 'notin' ? parseValues(take, peek) : [parseValue(take, peek)];
  for (const value of values) checkValue(key, value);
  return { key, operator, values };
}

const operators: Record<string, string> = {
  in: 'In',
  notin: 'NotIn',
  '=': 'In',
  '==': 'In',
  '!=': 'NotIn',
  '>': 'Gt',
  '<': 'Lt',
};

function parseValue(take: () => string, peek: () => string): string {
  if (peek() === '' || peek() === ',') return '';
  const value = take();
  if (isSymbol(value)) throw unparsable(value, 'identifier');
  return value;
}

function parseValues(take: () => string, peek: () => string): string[] {
  const open = take();
  if (open !== '(') throw unparsable(open, "'('");
  const values: string[] = [];
  while (peek() !== ')') {
    const token = take();
    if (token === ',') continue;
    if (token === '' || isSymbol(token)) throw unparsable(token, "',', ')' or identifier");
    values.push(token);
  }
  take();
  return values;
}

const isSymbol = (token: string) => /^[=!,()<>]+$/.test(token);

const unexpected = (found: string, wanted: string) => badRequest(`found '${found}', expected: ${wanted}`);

const unparsable = (found: string, wanted: string) =>
  badRequest(`unable to parse requirement: found '${found}', expected: ${wanted}`);

function checkKey(key: string): void {
  if (/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/.test(key)) return;
  throw badRequest(
    `unable to parse requirement: <nil>: Invalid value: "${key}": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
  );
}

function checkValue(key: string, value: string): void {
  if (value.length <= 63 && /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/.test(value)) return;
  throw badRequest(
    `unable to parse requirement: values[0][${key}]: Invalid value: "${value}": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
  );
}
