import { CONSISTENCY_HEADER } from '../protocol/consistency.ts';
import type { App } from './env.ts';
import { addExamples } from './openapi/examples.ts';
import { answerHeaders, describeHeaders } from './openapi/headers.ts';
import { linkCreated } from './openapi/links.ts';
import { nameOperations, TAGS } from './openapi/names.ts';
import { type ApiDocument, operationsOf } from './openapi/operations.ts';
import { repairSchemas } from './openapi/schemas.ts';

/** The OpenAPI 3.1 description of every route of an app. `openapi.json` at the root is this, held to it by `workers/openapi.test.ts`. */
export function describeApi(app: App): ApiDocument {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Colink',
      version: '1',
      description:
        'Team chat. Errors are problem documents (RFC 9457); unknown fields of a body and unknown parameters of a query are 422; lists page by opaque cursors, each of its list, and 400 in another. A cursor is a place and no credential: whoever has it reads what they may. Where a replica serves reads, the answer to a change ' +
        `of the directory carries ${CONSISTENCY_HEADER}: a read that sends it back shows that change. A path that is here answers any other method with 405 and \`Allow\`.`,
      license: { name: 'MIT', url: 'https://spdx.org/licenses/MIT.html' },
    },
    servers: [{ url: '/', description: 'This server' }],
    tags: TAGS,
  });
  repairSchemas(document);
  const operations = operationsOf(document);
  nameOperations(operations);
  answerHeaders(operations);
  linkCreated(operations);
  addExamples(document, operations);
  return { ...document, components: { ...document.components, headers: describeHeaders() } };
}

export function registerSecurity(app: App): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer', description: 'A personal or bot token, or an access token of the identity provider' });
  app.openAPIRegistry.registerComponent('securitySchemes', 'session', { type: 'apiKey', in: 'cookie', name: '__Host-colink', description: 'The session of a browser' });
}
