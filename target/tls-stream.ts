// A TLS connection as a stream in JavaScript. node:http2 takes a TLS socket's handle itself and writes there; a frame of
// ours beside it, while a write of the session is under way, would end the process (an assertion in Node's TLSWrap).
// Through this, all writes queue up in one place.
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

export class TlsStream extends Duplex {
  readonly #secure: TLSSocket;

  constructor(secure: TLSSocket) {
    super();
    this.#secure = secure;
    secure.on('data', (data: Buffer) => {
      if (!this.push(data)) secure.pause();
    });
    secure.on('end', () => this.push(null));
    secure.on('close', () => this.destroy());
    this.on('error', () => {});
  }

  override _read(): void {
    this.#secure.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#secure.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.#secure.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#secure.destroy();
    done(error);
  }
}
