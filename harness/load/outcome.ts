// Which outcome an error of the system or an unexpected status is.
import type { Outcome } from '../model/load.ts';

const byCode: Readonly<Record<string, Outcome>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  ECONNABORTED: 'reset',
  // A write into a connection whose other side has sent its FIN (and then answered our bytes by a RST): the FIN decides.
  EPIPE: 'closed',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENETDOWN: 'unreachable',
  // What a firewall rule on this machine answers.
  EACCES: 'unreachable',
  EPERM: 'unreachable',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  EAI_NODATA: 'dns',
  EAI_NONAME: 'dns',
  EADDRNOTAVAIL: 'local',
  EADDRINUSE: 'local',
  EMFILE: 'local',
  ENFILE: 'local',
  ENOBUFS: 'local',
  ENOMEM: 'local',
};

export interface SystemError extends Error {
  readonly code?: string;
  readonly syscall?: string;
  readonly errors?: readonly SystemError[];
}

/** Of several addresses that were tried the last one decides. */
export function decisiveError(error: SystemError): SystemError {
  return error.errors?.at(-1) ?? error;
}

/** `handshake`: the error came between the TCP connection and the end of the TLS handshake. */
export function outcomeOfError(error: SystemError, handshake: boolean): Outcome {
  const { code = '' } = error;
  // Node's own ECONNRESET for a FIN within the handshake: it stands for no RST, and no system call.
  if (handshake && code === 'ECONNRESET' && error.syscall === undefined) return 'closed';
  const known = byCode[code];
  if (known) return known;
  return handshake || /^ERR_(TLS|SSL)|^CERT_|^EPROTO$/.test(code) ? 'tls' : 'other';
}

/** `expected` empty: 200 to 299. */
export function outcomeOfStatus(status: number, expected: readonly number[]): Outcome {
  const isExpected = expected.length > 0 ? expected.includes(status) : status >= 200 && status <= 299;
  if (isExpected) return 'ok';
  if (status >= 300 && status <= 399) return 'http3xx';
  if (status >= 400 && status <= 499) return 'http4xx';
  if (status >= 500 && status <= 599) return 'http5xx';
  return 'other';
}
