// What a container said last, for the end of an error's sentence.
import type { Kube } from './client.ts';

const LINES = 3;
const LENGTH_LIMIT = 400;

/** "; it said last: a / b / c"; empty where its log cannot be read, or is. */
export async function saidLast(
  kube: Kube,
  namespace: string,
  pod: string,
  {
    container,
    previous = false,
    signal,
    timeoutMs,
  }: {
    /** Needed where the pod has several. */
    readonly container?: string;
    /** Of its run before. */
    readonly previous?: boolean;
    readonly signal?: AbortSignal | undefined;
    readonly timeoutMs: number;
  },
): Promise<string> {
  const answer = await kube
    .raw('GET', `/api/v1/namespaces/${namespace}/pods/${pod}/log`, {
      query: { ...(container && { container }), tailLines: LINES, ...(previous && { previous }) },
      ...(signal && { signal }),
      timeoutMs,
    })
    .catch(() => undefined);
  const text = answer?.status === 200 ? answer.text.trim() : '';
  return text ? `; it said last: ${text.split('\n').slice(-LINES).join(' / ').slice(-LENGTH_LIMIT)}` : '';
}
