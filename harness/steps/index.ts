// Runs one step of a scenario.
import type { Step } from '../model/scenario.ts';
import { chaos, deletePod, drainNode, proxyDelay, uncordon } from './chaos.ts';
import type { StepContext, StepDetail } from './context.ts';
import { compareTwin, kubectl, twin } from './kubectl.ts';
import { applyObject, deploy, expectRefusal, patchObject, readFields } from './objects.ts';
import { history, pause, restart, resume, rollback } from './rollout.ts';
import { autoscale, loadRate, scale } from './scale.ts';
import { setEnv, setImage } from './set-image.ts';
import { wait } from './wait.ts';

/** Resolves when the step's action is done; throws FaultError (or ApiError with the API server's words). */
export function runStep(step: Step, context: StepContext): Promise<StepDetail> {
  switch (step.step) {
    case 'set-image':
      return setImage(step, context);
    case 'set-env':
      return setEnv(step, context);
    case 'scale':
      return scale(step, context);
    case 'autoscale':
      return autoscale(step, context);
    case 'load-rate':
      return loadRate(step, context);
    case 'rollback':
      return rollback(step, context);
    case 'pause':
      return pause(step, context);
    case 'resume':
      return resume(step, context);
    case 'restart':
      return restart(step, context);
    case 'history':
      return history(step, context);
    case 'twin':
      return twin(step, context);
    case 'kubectl':
      return kubectl(step, context);
    case 'compare-twin':
      return compareTwin(step, context);
    case 'patch':
      return patchObject(step, context);
    case 'apply':
      return applyObject(step, context);
    case 'deploy':
      return deploy(step, context);
    case 'read-fields':
      return readFields(step, context);
    case 'expect-refusal':
      return expectRefusal(step, context);
    case 'delete-pod':
      return deletePod(step, context);
    case 'drain-node':
      return drainNode(step, context);
    case 'uncordon':
      return uncordon(step, context);
    case 'chaos':
      return chaos(step, context);
    case 'proxy-delay':
      return proxyDelay(step, context);
    case 'wait':
      return wait(step, context);
    default:
      return unknownStep(step);
  }
}

function unknownStep(step: never): never {
  throw new Error(`no step ${JSON.stringify(step)}`);
}
