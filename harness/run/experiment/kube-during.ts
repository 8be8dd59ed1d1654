// A client whose requests end with a signal, and which refuses new ones after it.
import type { Kube } from '../../kube/client.ts';

export function kubeDuring(kube: Kube, signal: AbortSignal): Kube {
  const during = (given: AbortSignal | undefined) => (given ? AbortSignal.any([given, signal]) : signal);
  return {
    ...kube,
    async raw(method, path, options = {}) {
      signal.throwIfAborted();
      return kube.raw(method, path, { ...options, signal: during(options.signal) });
    },
    async json<T>(method: string, path: string, options: Parameters<Kube['json']>[2] = {}): Promise<T> {
      signal.throwIfAborted();
      return kube.json<T>(method, path, { ...options, signal: during(options.signal) });
    },
    close() {},
  };
}
