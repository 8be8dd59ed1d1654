// The JSON Schema of rollproof.yaml, for editors and other validators. Draft 7: what YAML editors understand.
import { z } from 'zod';
import { configurationSchema } from './schema.ts';

export function configurationJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(configurationSchema, {
    io: 'input',
    target: 'draft-7',
    // Each part once: a case has the steps and the target of a scenario again.
    reused: 'ref',
  });
  return {
    $schema,
    title: 'rollproof configuration (rollproof.yaml)',
    ...schema,
  };
}
