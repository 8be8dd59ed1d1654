// Writes config.schema.json, the published JSON Schema of rollproof.yaml, from the schema that validates it.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configurationJsonSchema } from '../harness/config/json-schema.ts';

const file = fileURLToPath(new URL('../config.schema.json', import.meta.url));
writeFileSync(file, `${JSON.stringify(configurationJsonSchema(), null, 2)}\n`);
console.log('config.schema.json written');
