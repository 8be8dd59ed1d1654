// Requests that ask for another protocol on their connection: WebSocket, and SPDY/3.1 of older clients.
import type { Duplex } from 'node:stream';
import { admitRequest } from '../auth/admission.ts';
import { failure } from '../errors.ts';
import { StatusError } from '../types.ts';
import type { ServerContext } from './context.ts';
import { internalError } from './responses.ts';
import { spdySessions } from './spdy/sessions.ts';
import { type Sessions, webSocketSessions } from './websocket-sessions.ts';

/** Never throws: what cannot be is answered. */
export function createUpgrades(context: ServerContext): Sessions {
  const webSocket = webSocketSessions(context);
  const spdy = spdySessions(context);
  return {
    upgrade(req, socket, head) {
      socket.on('error', () => socket.destroy());
      try {
        admitRequest(context.access, req);
        const wanted = String(req.headers.upgrade ?? '').toLowerCase();
        (wanted === 'spdy/3.1' ? spdy : webSocket).upgrade(req, socket, head);
      } catch (error) {
        refuse(socket, error instanceof StatusError ? error : internalError(error));
      }
    },
    close() {
      webSocket.close();
      spdy.close();
    },
  };
}

function refuse(socket: Duplex, error: StatusError): void {
  const body = JSON.stringify(failure(error));
  socket.end(
    `HTTP/1.1 ${error.code} ${error.reason || 'Error'}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
