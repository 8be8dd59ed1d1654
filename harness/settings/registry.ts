// All settings by name, in the order in which they are applied (gracePeriod reads what preStop has set).
import { UsageError } from '../model/errors.ts';
import type { Setting } from '../model/setting.ts';
import { connectionAge } from './connection-age.ts';
import { gracePeriod } from './grace-period.ts';
import { gracefulShutdown } from './graceful-shutdown.ts';
import { grpcProbe } from './grpc-probe.ts';
import { minReadySeconds } from './min-ready-seconds.ts';
import { noSurge } from './no-surge.ts';
import { podDisruptionBudget } from './pod-disruption-budget.ts';
import { preStop } from './pre-stop.ts';
import { readinessProbe } from './readiness-probe.ts';
import { startupProbe } from './startup-probe.ts';
import { streamDrain } from './stream-drain.ts';
import { surge } from './surge.ts';
import { topologySpread } from './topology-spread.ts';

export const settings: readonly Setting[] = [
  readinessProbe,
  grpcProbe,
  startupProbe,
  preStop,
  gracefulShutdown,
  streamDrain,
  connectionAge,
  gracePeriod,
  surge,
  noSurge,
  minReadySeconds,
  podDisruptionBudget,
  topologySpread,
];

/** Throws UsageError with the names that there are. */
export function settingNamed(name: string): Setting {
  const found = settings.find((setting) => setting.name === name);
  if (found) return found;
  throw new UsageError(
    `setting "${name}" is not known. There are ${settings.map((setting) => setting.name).join(', ')}.`,
  );
}
