#!/usr/bin/env node
// Stands for nslookup in Kubernetes' tests, where this machine has none: nslookup NAME, asked of /etc/resolv.conf's server.
import { promises as dns } from 'node:dns';

const [name = ''] = process.argv.slice(2);
const [server] = dns.getServers();
process.stdout.write(`Server:\t\t${server}\nAddress:\t${server}#53\n\n`);
try {
  const aliases = await dns.resolveCname(name).catch(() => []);
  for (const alias of aliases) process.stdout.write(`${name}\tcanonical name = ${alias}.\n`);
  const addresses = await dns.resolve4(name).catch((error) => {
    if (aliases.length === 0) throw error;
    return [];
  });
  for (const address of addresses)
    process.stdout.write(`Name:\t${aliases[0] ?? name}\nAddress: ${address}\n`);
} catch (error) {
  process.stdout.write(`** server can't find ${name}: ${error.code}\n`);
  process.exitCode = 1;
}
