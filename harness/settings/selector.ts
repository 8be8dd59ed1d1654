// Whether a LabelSelector of the API covers a pod with these labels.
type Expression = { readonly key?: unknown; readonly operator?: unknown; readonly values?: unknown };

/** Missing or null: no pod. Empty: every pod (policy/v1). */
export function selectsLabels(selector: unknown, labels: Readonly<Record<string, unknown>>): boolean {
  if (typeof selector !== 'object' || selector === null) return false;
  const { matchLabels, matchExpressions } = selector as {
    matchLabels?: Record<string, unknown> | null;
    matchExpressions?: Expression[] | null;
  };
  return (
    Object.entries(matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
    (matchExpressions ?? []).every((expression) => matches(expression, labels))
  );
}

function matches({ key, operator, values }: Expression, labels: Readonly<Record<string, unknown>>): boolean {
  const value = labels[String(key)];
  const listed = Array.isArray(values) && values.includes(value);
  switch (operator) {
    case 'In':
      return listed;
    case 'NotIn':
      return !listed;
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}
