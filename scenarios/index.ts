// All scenarios, in the order in which they are listed and run.
import type { ScenarioDefinition } from '../harness/model/scenario.ts';
import { autoscale, autoscaleReapply } from './autoscale.ts';
import { badImage, crashAfterReady, neverReady } from './broken-version.ts';
import { crash, forceDelete, nodeDrain, podDelete } from './chaos.ts';
import {
  gatewayRollout,
  ingressControllerRollout,
  ingressKeepalive,
  ingressRollout,
  ingressScaleDown,
} from './entries.ts';
import { imageChange } from './image-change.ts';
import { kubectlParity } from './kubectl-parity.ts';
import { nginxPublished } from './nginx-published.ts';
import {
  fencePosts,
  fencePostsBoth,
  fencePostsPercent,
  fencePostsWhole,
  scaleDuringRollout,
  slowRollout,
  threeByOne,
} from './pace.ts';
import { placementAffinity, placementAlternatives, placementRequired } from './placement.ts';
import { execProbe, livenessIsNotReadiness, readinessArithmetic } from './probes.ts';
import {
  eventStreamRollout,
  grpcRollout,
  grpcScaleUp,
  http2Goaway,
  tcpRollout,
  tlsRollout,
  websocketRollout,
} from './protocols.ts';
import { rollback, rollbackToRevision } from './rollback.ts';
import { pauseResume, recreate, restart, rollover } from './rollout-control.ts';
import { scaleDown, scaleUp } from './scale.ts';
import { keptConnections, longRequests, preStopSweep, preStopTooLong, slowProxy } from './shutdown.ts';

export const scenarios: readonly ScenarioDefinition[] = [
  imageChange,
  scaleUp,
  scaleDown,
  autoscale,
  autoscaleReapply,
  rollback,
  rollbackToRevision,
  pauseResume,
  restart,
  rollover,
  badImage,
  neverReady,
  crashAfterReady,
  recreate,
  keptConnections,
  longRequests,
  preStopTooLong,
  preStopSweep,
  podDelete,
  forceDelete,
  nodeDrain,
  crash,
  slowProxy,
  nginxPublished,
  fencePosts,
  fencePostsPercent,
  fencePostsWhole,
  fencePostsBoth,
  scaleDuringRollout,
  threeByOne,
  readinessArithmetic,
  execProbe,
  livenessIsNotReadiness,
  slowRollout,
  placementAffinity,
  placementRequired,
  placementAlternatives,
  kubectlParity,
  ingressRollout,
  ingressScaleDown,
  ingressControllerRollout,
  ingressKeepalive,
  gatewayRollout,
  grpcRollout,
  grpcScaleUp,
  http2Goaway,
  websocketRollout,
  eventStreamRollout,
  tcpRollout,
  tlsRollout,
];
