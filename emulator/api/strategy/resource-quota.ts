// ResourceQuota: its status is what the controller has counted.
import type { Strategy } from './strategy.ts';

export const quotaStrategy: Strategy = { createsOnUpdate: true, returnsDeleted: true };
