// Reads fields of manifests as they come: of any type, or missing. A wrong type reads as missing.
export type Fields = Readonly<Record<string, unknown>>;

const none: Fields = Object.freeze({});

export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : none;
}

export function has(value: unknown): boolean {
  return value !== undefined && value !== null;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function integer(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined;
}

/** A text, or a number written without quotes (ports and tags often are). */
export function textOrNumber(value: unknown): string | undefined {
  return typeof value === 'number' ? String(value) : text(value);
}

/** True when `labels` has every entry of `selector`. */
export function matchesLabels(selector: Fields, labels: Fields): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

/** A LabelSelector (matchLabels and matchExpressions) against labels. Missing: matches nothing. Empty: everything. */
export function matchesSelector(selector: unknown, labels: Fields): boolean {
  if (!has(selector)) return false;
  const { matchLabels, matchExpressions } = fields(selector);
  return (
    matchesLabels(fields(matchLabels), labels) &&
    list(matchExpressions).every((expression) => matchesExpression(fields(expression), labels))
  );
}

function matchesExpression({ key, operator, values }: Fields, labels: Fields): boolean {
  const name = text(key) ?? '';
  const value = labels[name];
  switch (operator) {
    case 'In':
      return has(value) && list(values).includes(value);
    case 'NotIn':
      return !has(value) || !list(values).includes(value);
    case 'Exists':
      return has(value);
    case 'DoesNotExist':
      return !has(value);
    default:
      return false;
  }
}
