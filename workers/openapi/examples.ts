import { BODIES, RESOURCES } from './example-resources.ts';
import type { ApiDocument, Described } from './operations.ts';

interface Content {
  example?: unknown;
}
type Contents = Readonly<Record<string, Content>>;

/** Shows each resource and each body that its route does not show itself. */
export function addExamples({ components }: ApiDocument, operations: readonly Described[]): void {
  for (const [name, schema] of Object.entries(components?.schemas ?? {})) if (name in RESOURCES && !('$ref' in schema)) setExample(schema, RESOURCES[name]);
  for (const { operation } of operations) {
    const { operationId = '', requestBody, responses = {} } = operation;
    if (requestBody && !('$ref' in requestBody)) showIn(requestBody.content, `${operationId} body`);
    for (const [status, response] of Object.entries(responses)) if (!('$ref' in response)) showIn(response.content ?? {}, `${operationId} ${status}`);
  }
}

function showIn(contents: Contents, name: string): void {
  for (const [type, content] of Object.entries(contents)) {
    const shown = BODIES[`${name} ${type}`] ?? BODIES[name];
    if (shown !== undefined) setExample(content, shown);
  }
}

function setExample(holder: Content, example: unknown): void {
  holder.example ??= example;
}
