// Numbers or percentages (intstr.IntOrString).

export type IntOrString = number | string;

/** "25%" of the total, rounded as told; a number is itself; undefined counts as 0. */
export function scaledValue(value: IntOrString | undefined, total: number, round: 'up' | 'down'): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  const percent = Number.parseInt(value, 10);
  if (!value.endsWith('%')) return percent;
  const exact = (percent * total) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}
