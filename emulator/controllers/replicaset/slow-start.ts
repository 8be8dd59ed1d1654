// Creating many in batches of 1, 2, 4 …, so that a template that cannot be created fails once, not hundreds of times.
// Source: slowStartBatch in pkg/controller/replicaset/replica_set.go.

interface SlowStartResult {
  readonly succeeded: number;
  /** The first failure of the batch that ended it. */
  readonly error: unknown;
}

/** Calls `create` for 0 … count - 1; a batch in which one fails is the last. */
export async function slowStart(
  count: number,
  create: (index: number) => Promise<void>,
): Promise<SlowStartResult> {
  let succeeded = 0;
  let begun = 0;
  for (let size = Math.min(count, 1); size > 0; size = Math.min(2 * size, count - begun)) {
    const batch = Array.from({ length: size }, (_, offset) => create(begun + offset));
    begun += size;
    const results = await Promise.allSettled(batch);
    succeeded += results.filter(({ status }) => status === 'fulfilled').length;
    const failure = results.find((result) => result.status === 'rejected');
    if (failure) return { succeeded, error: failure.reason };
  }
  return { succeeded, error: undefined };
}
