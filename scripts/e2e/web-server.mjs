// Stands for httpd and nginx in Kubernetes' tests: serves the files of a folder on port 80, a folder that they change.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const folder = '/usr/local/apache2/htdocs';
const page = `${folder}/index.html`;
try {
  mkdirSync(folder, { recursive: true });
  if (!existsSync(page)) writeFileSync(page, '<html><body><h1>It works!</h1></body></html>\n');
} catch (error) {
  // A pod without a file system of its own: only the start page is missing.
  console.error(String(error));
}
createServer((request, response) => {
  const path = new URL(request.url ?? '/', 'http://localhost').pathname;
  const file = folder + (path === '/' ? '/index.html' : path);
  if (!existsSync(file)) {
    response.statusCode = 404;
    response.end('Not Found\n');
    return;
  }
  response.end(readFileSync(file));
}).listen(80, process.env.POD_IP);
process.on('SIGTERM', () => process.exit(0));
