import type { ApiDocument } from './operations.ts';

/**
 * Sets right what the generator of the document gets wrong (zod-to-openapi 8): it writes the flags of a regular expression into `pattern`, and does not
 * say that integers end where JavaScript's do.
 */
export function repairSchemas(document: ApiDocument): void {
  visit(document.components?.schemas);
  visit(document.paths);
}

function visit(node: unknown): void {
  if (Array.isArray(node)) return node.forEach(visit);
  if (typeof node !== 'object' || node === null) return;
  repair(node);
  for (const [key, value] of Object.entries(node)) if (key !== 'example') visit(value);
}

function repair(schema: { pattern?: unknown; type?: unknown; minimum?: unknown; maximum?: unknown }): void {
  if (typeof schema.pattern === 'string') schema.pattern = schema.pattern.replace(/\$\/[a-z]+$/, '$');
  if (schema.type !== 'integer' && !(Array.isArray(schema.type) && schema.type.includes('integer'))) return;
  schema.maximum ??= Number.MAX_SAFE_INTEGER;
  schema.minimum ??= Number.MIN_SAFE_INTEGER;
}
