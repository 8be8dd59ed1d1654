// How a program on Node.js is made to log each connection without a change of its code: a module that runs before it.
// What it writes is read by app-logs.ts: "truth MS WORD …", MS by the machine's own clock.

/** Runs inside the program: plain JavaScript, nothing of this project. */
const preload = `
import { Server } from 'node:net';
import { writeSync } from 'node:fs';
const say = (...words) => {
  try {
    writeSync(1, 'truth ' + (performance.timeOrigin + performance.now()).toFixed(3) + ' ' + words.join(' ') + '\\n');
  } catch {}
};
const ports = new WeakMap();
const clients = new WeakMap();
const serverEmit = Server.prototype.emit;
Server.prototype.emit = function (name, ...rest) {
  if (name === 'listening') {
    ports.set(this, this.address()?.port);
    say('listening', ports.get(this));
  } else if (name === 'close' && ports.has(this)) say('closed', ports.get(this));
  else if (name === 'connection' && ports.has(this)) {
    const [socket] = rest;
    const client = String(socket.remoteAddress).replace('::ffff:', '') + ':' + socket.remotePort;
    clients.set(socket, client);
    say('open', ports.get(this), client);
    socket.once('close', () => say('ended', client));
  } else if (name === 'request') {
    const [request, response] = rest;
    const client = clients.get(request.socket);
    if (client) {
      say('request', client);
      response.once('finish', () => say('answered', client, response.statusCode));
    }
  }
  return serverEmit.call(this, name, ...rest);
};
const processEmit = process.emit;
process.emit = function (name, ...rest) {
  if (name === 'SIGTERM') say('sigterm');
  return processEmit.call(this, name, ...rest);
};
process.on('exit', (code) => say('exit', code));
`;

/** Environment of a container on Node.js 20 whose program is to log. */
export const loggingEnv = {
  NODE_OPTIONS: `--import=data:text/javascript;base64,${Buffer.from(preload).toString('base64')}`,
} as const;

/** The same lines of nginx, which writes one when a request is over. */
export const nginxLogFormat = 'truth $msec answered $remote_addr:$remote_port $status';
