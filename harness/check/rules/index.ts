// All rules, in the order of docs/check.md.
import { unknownRuleIgnored } from '../ignore.ts';
import type { Rule } from '../rule.ts';
import { autoscalerWithReplicas } from './autoscaler-with-replicas.ts';
import { autoscalerWithoutRequest } from './autoscaler-without-request.ts';
import { barePod } from './bare-pod.ts';
import { budgetKeepsUnhealthy, noDisruptionBudget, noSpread, twoBudgets } from './budgets.ts';
import { containerEndsFirst } from './container-ends-first.ts';
import { duplicateKey } from './duplicate-key.ts';
import { gracePeriodTight, gracePeriodZero } from './grace-period.ts';
import { imageTagLatest } from './image-tag-latest.ts';
import { initialDelay } from './initial-delay.ts';
import { injectedProxy } from './injected-proxy.ts';
import { livenessBeforeReady } from './liveness-before-ready.ts';
import { livenessEqualsReadiness } from './liveness-equals-readiness.ts';
import { localTrafficPolicy } from './local-traffic-policy.ts';
import { maxUnavailableAll } from './max-unavailable-all.ts';
import { minReadyExceedsDeadline } from './min-ready-exceeds-deadline.ts';
import { noPreStop } from './no-prestop.ts';
import { noReadinessProbe } from './no-readiness-probe.ts';
import { onDelete } from './on-delete.ts';
import { pdbBlocksDrain } from './pdb-blocks-drain.ts';
import { preStopExceedsGrace } from './prestop-exceeds-grace.ts';
import { preStopStopsServer } from './prestop-stops-server.ts';
import { preStopTooShort } from './prestop-too-short.ts';
import { preStopWithoutShell } from './prestop-without-shell.ts';
import { probeTimeoutExceedsPeriod } from './probe-timeout-exceeds-period.ts';
import { publishNotReady } from './publish-not-ready.ts';
import { readinessGate } from './readiness-gate.ts';
import { recreate } from './recreate.ts';
import { refusedByApi } from './refused-by-api.ts';
import { removedApiVersion } from './removed-api.ts';
import { revisionHistoryZero } from './revision-history-zero.ts';
import { selectorMatchesNothing } from './selector-matches-nothing.ts';
import { shellIsPid1 } from './shell-is-pid-1.ts';
import { singleReplica } from './single-replica.ts';
import { startupExceedsDeadline } from './startup-exceeds-deadline.ts';
import { stopSignal } from './stop-signal.ts';
import { surgeAndUnavailableZero } from './surge-and-unavailable-zero.ts';
import { surgeBlockedByAntiAffinity } from './surge-blocked-by-anti-affinity.ts';
import { surgeBlockedByHostPort } from './surge-blocked-by-host-port.ts';
import { surgeBlockedByVolume } from './surge-blocked-by-volume.ts';
import { undeclaredPort } from './undeclared-port.ts';
import { unknownField } from './unknown-field.ts';

const riskRules: readonly Rule[] = [
  noReadinessProbe,
  livenessEqualsReadiness,
  probeTimeoutExceedsPeriod,
  initialDelay,
  livenessBeforeReady,
  startupExceedsDeadline,
  readinessGate,
  publishNotReady,
  noPreStop,
  preStopTooShort,
  preStopStopsServer,
  preStopExceedsGrace,
  preStopWithoutShell,
  containerEndsFirst,
  injectedProxy,
  shellIsPid1,
  stopSignal,
  gracePeriodZero,
  gracePeriodTight,
  maxUnavailableAll,
  surgeAndUnavailableZero,
  onDelete,
  surgeBlockedByHostPort,
  surgeBlockedByAntiAffinity,
  surgeBlockedByVolume,
  recreate,
  singleReplica,
  barePod,
  minReadyExceedsDeadline,
  pdbBlocksDrain,
  twoBudgets,
  budgetKeepsUnhealthy,
  noDisruptionBudget,
  noSpread,
  localTrafficPolicy,
  selectorMatchesNothing,
  undeclaredPort,
  autoscalerWithReplicas,
  autoscalerWithoutRequest,
  imageTagLatest,
  revisionHistoryZero,
  refusedByApi,
  unknownField,
  removedApiVersion,
  duplicateKey,
];

export const rules: readonly Rule[] = [...riskRules, unknownRuleIgnored(riskRules.map((rule) => rule.id))];
