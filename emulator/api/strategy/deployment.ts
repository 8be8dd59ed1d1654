// Deployment: the status subresource leaves labels alone (registry/apps/deployment/strategy.go).
import type { Strategy } from './strategy.ts';

export const deploymentStrategy: Strategy = {
  prepareForStatusUpdate({ metadata }, current) {
    if (current.metadata.labels) metadata.labels = current.metadata.labels;
    else delete metadata.labels;
  },
};
