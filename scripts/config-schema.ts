// Writes config.schema.json, the published JSON Schema of rollproof.yaml, from the schema that validates it.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { configurationJsonSchema } from '../harness/config/json-schema.ts';
import { parseCommandLine } from './command-line.ts';

parseCommandLine(
  new Command('config-schema').description(
    'write config.schema.json from the schema that checks rollproof.yaml',
  ),
);

const file = fileURLToPath(new URL('../config.schema.json', import.meta.url));
writeFileSync(file, `${JSON.stringify(configurationJsonSchema(), null, 2)}\n`);
console.log('config.schema.json written');
