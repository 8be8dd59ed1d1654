// Column definitions of server-side tables.

export interface Column {
  name: string;
  type: string;
  format: string;
  description: string;
  /** 0: always shown, 1: with -o wide. */
  priority: number;
}

export type Cell = string | number | boolean | null;

/** How one resource is shown. */
export interface Printer<T> {
  columns: readonly Column[];
  row(object: T, nowMs: number): Cell[];
}

/** "Name", "Desired:integer", "IP+" (wide), "Name+=name" (wide, format name). */
export function columns(...texts: string[]): Column[] {
  return texts.map((text) => {
    const match = /^(.*?)(?::(\w+))?(\+)?$/.exec(text)!;
    const [, name = '', type = 'string', wide] = match;
    return {
      name,
      type,
      format: name === 'Name' ? 'name' : '',
      description: '',
      priority: wide ? 1 : 0,
    };
  });
}

export const noneIfEmpty = (text: string | undefined): string => text || '<none>';

/** "a=1,b=2", sorted. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const texts = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return noneIfEmpty(texts.sort().join(','));
}

/** The names and the images of a template's containers. */
export function containerCells(
  template: { spec?: { containers: { name: string; image?: string }[] } } | undefined,
): [string, string] {
  const containers = template?.spec?.containers ?? [];
  return [containers.map(({ name }) => name).join(','), containers.map(({ image }) => image ?? '').join(',')];
}
