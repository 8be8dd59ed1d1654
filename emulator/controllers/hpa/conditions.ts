// An autoscaler's conditions: changed in place, new ones at the end.
// Source: setConditionInList in pkg/controller/podautoscaler/horizontal.go.
import { timestamp } from '../../api/objects.ts';
import type { Autoscaler } from '../../api/types.ts';

export type AutoscalerStatus = NonNullable<Autoscaler['status']>;
export type AutoscalerCondition = NonNullable<AutoscalerStatus['conditions']>[number];

export function setCondition(
  conditions: AutoscalerCondition[],
  type: 'AbleToScale' | 'ScalingActive' | 'ScalingLimited',
  status: 'True' | 'False',
  reason: string,
  message: string,
  nowMs: number,
): void {
  const index = conditions.findIndex((condition) => condition.type === type);
  const current = conditions[index];
  const lastTransitionTime = current?.status === status ? current.lastTransitionTime : timestamp(nowMs);
  const condition = { type, status, lastTransitionTime, reason, message };
  if (index < 0) conditions.push(condition);
  else conditions[index] = condition;
}
