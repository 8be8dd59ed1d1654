// Which engine fires a stream of load.
import { UsageError } from '../../model/errors.ts';
import { lanesOfProtocol, type StreamPlan } from '../../model/load.ts';
import type { Engine, EngineOwner } from '../engine.ts';
import { GrpcEngine } from './grpc.ts';
import { Http1Engine } from './http1.ts';
import { Http2Engine } from './http2.ts';
import { EventStreamEngine } from './sse.ts';
import { OpenStreams } from './streams.ts';
import { TcpEngine } from './tcp.ts';
import { WebSocketEngine } from './websocket.ts';

/** Throws a UsageError when the protocol refuses the plan. */
export function engineOf(owner: EngineOwner): Engine {
  const { plan } = owner;
  refuseContradictions(plan);
  switch (plan.protocol ?? 'http1') {
    case 'http1':
      return new Http1Engine(owner);
    case 'http2':
      return new Http2Engine(owner);
    case 'grpc':
      return plan.lane === 'stream' ? new OpenStreams(owner) : new GrpcEngine(owner);
    case 'tcp':
      return new TcpEngine(owner);
    case 'websocket':
      return plan.lane === 'stream' ? new OpenStreams(owner) : new WebSocketEngine(owner);
    case 'sse':
      return plan.lane === 'stream' ? new OpenStreams(owner) : new EventStreamEngine(owner);
  }
}

function refuseContradictions({ protocol = 'http1', lane, rate }: StreamPlan): void {
  const possible = lanesOfProtocol[protocol];
  if (!possible.includes(lane))
    throw new UsageError(`load: protocol ${protocol} has no lane "${lane}"; it has ${possible.join(', ')}.`);
  if (lane === 'stream' && rate.shape === 'constant' && rate.ratePerSecond === 0)
    throw new UsageError('load: lane stream needs a rate: messages per second over all streams together.');
}
