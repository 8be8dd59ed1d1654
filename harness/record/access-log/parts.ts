// What the forms share.

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** "10/Oct/2000:13:55:36 -0700", with ".655" behind the seconds where it is there; without a zone it is UTC. */
export function commonLogTime(text: string): number | undefined {
  const match =
    /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?(?: ([+-])(\d{2})(\d{2}))?$/.exec(
      text,
    );
  if (!match) return undefined;
  const [, day, month, year, hour, minute, second, fraction, sign, zoneHours, zoneMinutes] = match;
  const index = months.indexOf(month ?? '');
  if (index < 0) return undefined;
  const zoneMs = sign ? (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000 * (sign === '-' ? -1 : 1) : 0;
  const ms = fraction ? Number(`0.${fraction}`) * 1000 : 0;
  return (
    Date.UTC(Number(year), index, Number(day), Number(hour), Number(minute), Number(second)) + ms - zoneMs
  );
}

/** Seconds as text, "0.005"; undefined for "-". */
export const secondsMs = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : undefined;

/** A field that says "-" or nothing says nothing. */
export const said = (text: string | undefined): string | undefined =>
  text === undefined || text === '' || text === '-' ? undefined : text;

export function jsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? said(value) : undefined;

export const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value)
    ? value
    : typeof value === 'string' && /^\d+(\.\d+)?$/.test(value)
      ? Number(value)
      : undefined;

/** Without the fields that are undefined, as a journal has them. */
export function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
