// All rules, in the order of docs/check.md.
import { unknownRuleIgnored } from '../ignore.ts';
import type { Rule } from '../rule.ts';
import { autoscalerWithReplicas } from './autoscaler-with-replicas.ts';
import { imageTagLatest } from './image-tag-latest.ts';
import { initialDelay } from './initial-delay.ts';
import { livenessEqualsReadiness } from './liveness-equals-readiness.ts';
import { maxUnavailableAll } from './max-unavailable-all.ts';
import { minReadyExceedsDeadline } from './min-ready-exceeds-deadline.ts';
import { noPreStop } from './no-prestop.ts';
import { noReadinessProbe } from './no-readiness-probe.ts';
import { pdbBlocksDrain } from './pdb-blocks-drain.ts';
import { preStopExceedsGrace } from './prestop-exceeds-grace.ts';
import { preStopWithoutShell } from './prestop-without-shell.ts';
import { probeTimeoutExceedsPeriod } from './probe-timeout-exceeds-period.ts';
import { recreate } from './recreate.ts';
import { removedApiVersion } from './removed-api.ts';
import { singleReplica } from './single-replica.ts';
import { surgeAndUnavailableZero } from './surge-and-unavailable-zero.ts';
import { surgeBlockedByAntiAffinity } from './surge-blocked-by-anti-affinity.ts';
import { surgeBlockedByHostPort } from './surge-blocked-by-host-port.ts';

const riskRules: readonly Rule[] = [
  noReadinessProbe,
  livenessEqualsReadiness,
  probeTimeoutExceedsPeriod,
  initialDelay,
  noPreStop,
  preStopExceedsGrace,
  preStopWithoutShell,
  maxUnavailableAll,
  surgeAndUnavailableZero,
  surgeBlockedByHostPort,
  surgeBlockedByAntiAffinity,
  recreate,
  singleReplica,
  minReadyExceedsDeadline,
  pdbBlocksDrain,
  autoscalerWithReplicas,
  imageTagLatest,
  removedApiVersion,
];

export const rules: readonly Rule[] = [...riskRules, unknownRuleIgnored(riskRules.map((rule) => rule.id))];
