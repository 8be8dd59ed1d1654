// Number of replicas, as `kubectl scale` sets it (merge patch on /scale), and the autoscaler as `kubectl autoscale`
// creates it.
import { label, managedBy } from '../model/manifest.ts';
import { mergePatch, type StepRunner, workloadApiOf, workloadPath } from './context.ts';

export const scale: StepRunner<'scale'> = async (step, context) => {
  await context.kube.json('PATCH', workloadPath(context, '/scale'), {
    query: { fieldManager: 'kubectl' },
    contentType: mergePatch,
    body: { spec: { replicas: step.replicas } },
  });
  return { replicas: step.replicas };
};

export const autoscale: StepRunner<'autoscale'> = async (step, context) => {
  const { workload, namespace } = context;
  await context.kube.json('POST', `/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`, {
    body: {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: workload.name, labels: { [label.managedBy]: managedBy } },
      spec: {
        scaleTargetRef: { apiVersion: workloadApiOf(workload), kind: workload.kind, name: workload.name },
        minReplicas: step.min,
        maxReplicas: step.max,
        metrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: step.cpuPercent } },
          },
        ],
        ...(step.behavior && { behavior: step.behavior }),
      },
    },
  });
  return { min: step.min, max: step.max, cpuPercent: step.cpuPercent };
};

export const loadRate: StepRunner<'load-rate'> = async (step, context) => {
  await context.setRate(step.ratePerSecond, step.overMs ?? 0, step.lane);
  return { ratePerSecond: step.ratePerSecond, overMs: step.overMs ?? 0, lane: step.lane ?? 'all' };
};
