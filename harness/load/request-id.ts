// Numbers requests, so that it can be told what became of each on the way: X-Request-Id is what proxies log and pass on.
import type { StreamPlan } from '../model/load.ts';

const HEADER = 'X-Request-Id';
const DIGITS = 9;
const PLACE = '0'.repeat(DIGITS);

export interface NumberedRequest {
  /** A buffer of its own: the socket may not have written the one before. */
  of(sequence: number): Buffer;
}

/** The plan with the header in it, its number still to be written. One that the plan itself has stays. */
export function withRequestId(plan: StreamPlan): StreamPlan {
  if (!isNumbered(plan)) return plan;
  return { ...plan, headers: { ...plan.headers, [HEADER]: `${plan.requestIds}.${PLACE}` } };
}

/** `request`: as it was built of the plan above. Undefined: its requests are not numbered. */
export function numberedRequest(plan: StreamPlan, request: Buffer): NumberedRequest | undefined {
  if (!isNumbered(plan)) return undefined;
  const place = request.indexOf(`${plan.requestIds}.${PLACE}`) + (plan.requestIds?.length ?? 0) + 1;
  return {
    of(sequence) {
      const numbered = Buffer.from(request);
      numbered.write(String(sequence).padStart(DIGITS, '0').slice(-DIGITS), place, 'latin1');
      return numbered;
    },
  };
}

const isNumbered = ({ requestIds, headers }: StreamPlan): boolean =>
  requestIds !== undefined &&
  Object.keys(headers).every((name) => name.toLowerCase() !== HEADER.toLowerCase());
