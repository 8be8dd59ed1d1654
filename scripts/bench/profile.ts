// Reads a profile of V8's sampling profiler (node --cpu-prof): which functions the time is spent in themselves.
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

const shown = 20;

/** The functions with the largest shares of the time that was not idle, largest first. */
export function selfTimes(file: string): { readonly name: string; readonly share: number }[] {
  const { nodes, samples, timeDeltas } = profileSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url } }) => [id, nameOf(functionName, url)]),
  );
  const times = new Map<string, number>();
  let busy = 0;
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? '';
    const time = timeDeltas[index] ?? 0;
    if (name === '(idle)') continue;
    busy += time;
    times.set(name, (times.get(name) ?? 0) + time);
  }
  return [...times]
    .sort((a, b) => b[1] - a[1])
    .slice(0, shown)
    .map(([name, time]) => ({ name, share: time / busy }));
}

/** Node's own modules are told apart from ours; native functions have no address. */
function nameOf(functionName: string, url: string): string {
  const name = functionName || '(anonymous)';
  if (url.startsWith('node:')) return `${name}  ${url}`;
  return url === '' ? name : `${name}  (bundle)`;
}
