// When a CronJob is due: the five fields of cron, with names, ranges, steps and the usual shorthands, in a time zone.
// Source: robfig/cron v3 (standard parser), pkg/controller/cronjob/utils.go.

export interface Schedule {
  /** The first due time after this one (Unix ms, whole minutes); undefined: none within five years. */
  next(afterMs: number): number | undefined;
}

interface Field {
  readonly values: ReadonlySet<number>;
  /** "*" and "?": the other day field alone decides. */
  readonly any: boolean;
}

const shorthands: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const minuteMs = 60_000;
const searchLimitMs = 5 * 366 * 24 * 60 * minuteMs;

/** Throws an Error with the reason. */
export function parseSchedule(text: string, timeZone?: string): Schedule {
  const everyText = /^@every (.+)$/.exec(text.trim())?.[1];
  if (everyText !== undefined) return every(everyText);
  const written = shorthands[text.trim()] ?? text.trim();
  const parts = written.split(/\s+/);
  if (parts.length !== 5) {
    throw new Error(`expected exactly 5 fields, found ${parts.length}: [${text}]`);
  }
  const [minute, hour, day, month, weekday] = [
    field(parts[0]!, 0, 59),
    field(parts[1]!, 0, 23),
    field(parts[2]!, 1, 31),
    field(parts[3]!, 1, 12, months),
    field(parts[4]!, 0, 7, days),
  ];
  const local = clockIn(timeZone ?? 'UTC');
  return {
    next(afterMs) {
      const endMs = afterMs + searchLimitMs;
      let atMs = Math.floor(afterMs / minuteMs) * minuteMs + minuteMs;
      while (atMs <= endMs) {
        const at = local(atMs);
        const dayFits = day.values.has(at.day);
        const weekdayFits = weekday.values.has(at.weekday) || (at.weekday === 0 && weekday.values.has(7));
        const onDay = day.any || weekday.any ? dayFits && weekdayFits : dayFits || weekdayFits;
        if (!month.values.has(at.month) || !onDay) {
          // To the next local midnight; a change of summer time is met by looking hour by hour.
          atMs +=
            at.hour < 22
              ? (23 - at.hour) * 60 * minuteMs - at.minute * minuteMs
              : (60 - at.minute) * minuteMs;
        } else if (!hour.values.has(at.hour)) atMs += (60 - at.minute) * minuteMs;
        else if (minute.values.has(at.minute)) return atMs;
        else atMs += minuteMs;
      }
      return undefined;
    },
  };
}

function every(text: string): Schedule {
  const units: Record<string, number> = { h: 3_600_000, m: minuteMs, s: 1000 };
  const parts = [...text.matchAll(/(\d+)(h|m|s)/g)];
  const periodMs = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit!]!, 0);
  if (periodMs <= 0 || parts.map(([part]) => part).join('') !== text) {
    throw new Error(`failed to parse duration @every ${text}`);
  }
  return { next: (afterMs) => Math.floor(afterMs / 1000) * 1000 + periodMs };
}

function field(text: string, least: number, most: number, names: readonly string[] = []): Field {
  const values = new Set<number>();
  const number = (part: string) => {
    const named = names.indexOf(part.toLowerCase());
    const value = named >= 0 ? named + least : Number(part);
    if (!Number.isInteger(value) || part === '') throw new Error(`failed to parse int from ${part}`);
    return value;
  };
  for (const part of text.split(',')) {
    const [range = '', step = '1'] = part.split('/');
    const everything = range === '*' || range === '?';
    const [from = '', to] = range.split('-');
    const first = everything ? least : number(from);
    const last = everything || (to === undefined && part.includes('/')) ? most : number(to ?? from);
    const width = number(step);
    if (width < 1) throw new Error(`step of range should be a positive number: ${part}`);
    if (first < least) throw new Error(`beginning of range (${first}) below minimum (${least}): ${part}`);
    if (last > most) throw new Error(`end of range (${last}) above maximum (${most}): ${part}`);
    if (first > last) throw new Error(`beginning of range (${first}) beyond end of range (${last}): ${part}`);
    for (let value = first; value <= last; value += width) values.add(value);
  }
  return { values, any: /^[*?]/.test(text) };
}

function clockIn(timeZone: string) {
  if (timeZone === 'UTC' || timeZone === 'Etc/UTC') {
    return (ms: number) => {
      const date = new Date(ms);
      return {
        minute: date.getUTCMinutes(),
        hour: date.getUTCHours(),
        day: date.getUTCDate(),
        month: date.getUTCMonth() + 1,
        weekday: date.getUTCDay(),
      };
    };
  }
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    minute: 'numeric',
    hour: 'numeric',
    day: 'numeric',
    month: 'numeric',
    weekday: 'short',
    hourCycle: 'h23',
  });
  return (ms: number) => {
    const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
    return {
      minute: Number(parts.minute),
      hour: Number(parts.hour),
      day: Number(parts.day),
      month: Number(parts.month),
      weekday: days.indexOf((parts.weekday ?? '').toLowerCase()),
    };
  };
}
