import { html } from 'hono/html';
import { TAGS } from './names.ts';
import { type ApiDocument, type Described, type Operation, operationsOf } from './operations.ts';

/** A page of the document that loads and runs nothing: every operation in its group, with what it takes, an example of each body, and what it answers. */
export function pageOf(document: ApiDocument) {
  const operations = operationsOf(document);
  const examples = examplesOf(document);
  const groups = TAGS.map((tag) => ({ ...tag, operations: operations.filter(({ operation }) => operation.tags?.includes(tag.name)) }));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${document.info.title} API</title>
<style>
  :root { color-scheme: light dark; --line: #8884 }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  code, pre { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere }
  h2 { margin: 2.5rem 0 0 } h3 { font-size: 1em; margin: 1rem 0 0.3rem } summary { cursor: pointer }
  details { border-bottom: 1px solid var(--line); padding: 0.4rem 0 } details[open] { padding-bottom: 1.2rem }
  dl { display: grid; grid-template-columns: minmax(4rem, max-content) 1fr; gap: 0.2rem 1rem; margin: 0 } dd { margin: 0 }
  pre { border: 1px solid var(--line); border-radius: 0.4rem; padding: 0.6rem 0.8rem; margin: 0.4rem 0; overflow-x: auto; white-space: pre-wrap }
  nav { columns: 14rem; padding: 0 } nav a { display: block }
  @media (max-width: 40rem) { dl { grid-template-columns: 1fr } dd { margin-left: 1rem } }
</style>
</head>
<body>
<h1>${document.info.title} API</h1>
<p>${document.info.description} The schemas are in <a href="/openapi.json">openapi.json</a>; sockets and topics in <a href="/asyncapi.json">asyncapi.json</a>.</p>
<nav aria-label="Groups">${groups.map(({ name }) => html`<a href="#${name}">${name}</a>`)}</nav>
${groups.map(
  ({ name, description, operations: own }) => html`<h2 id="${name}">${name}</h2>
<p>${description}</p>
${own.map((described) => operationOf(described, examples))}`,
)}
</body>
</html>`;
}

type Content = NonNullable<Extract<Operation['requestBody'], { content: object }>>['content'][string];
type ExampleOf = (content: Content) => string | null;

/** Of a body as it is sent; null: it has none. */
function examplesOf({ components }: ApiDocument): ExampleOf {
  const schemas: Readonly<Record<string, unknown>> = components?.schemas ?? {};
  return ({ example, schema }) => {
    const named = schema && '$ref' in schema && schema.$ref !== undefined ? schemas[schema.$ref.replace('#/components/schemas/', '')] : schema;
    const shown: unknown = example ?? fieldOf(named, 'example');
    if (shown === undefined) return null;
    return typeof shown === 'string' ? shown : JSON.stringify(shown, null, 2);
  };
}

const fieldOf = (schema: unknown, name: string): unknown => (typeof schema === 'object' && schema !== null ? Reflect.get(schema, name) : undefined);

function operationOf({ method, path, operation }: Described, examples: ExampleOf) {
  const { operationId, summary, description, parameters = [], requestBody, responses = {} } = operation;
  const body = requestBody && !('$ref' in requestBody) ? Object.entries(requestBody.content) : [];
  return html`<details id="${operationId}">
<summary><code>${method.toUpperCase()} ${path}</code> ${summary}</summary>
${description ? html`<p>${description}</p>` : ''}<p>${credentialsOf(operation)}</p>
${parameters.length > 0 ? html`<h3>Takes</h3><dl>${parameters.map(parameterOf)}</dl>` : ''}
${body.map(([type, content]) => html`<h3>Body <code>${type}</code></h3>${shown(examples(content))}`)}
<h3>Answers</h3>
<dl>${Object.entries(responses).map(([status, response]) => html`<dt>${status}</dt><dd>${'$ref' in response ? '' : answerOf(status, response, examples)}</dd>`)}</dl>
</details>`;
}

function credentialsOf({ security = [] }: Operation): string {
  const bearer = security.find((one) => 'bearer' in one);
  if (bearer === undefined) return 'Needs no credentials.';
  const [scope] = bearer['bearer'] ?? [];
  return scope === undefined ? 'Needs a token.' : `Needs the scope ${scope}.`;
}

function parameterOf(parameter: NonNullable<Operation['parameters']>[number]) {
  if (!('name' in parameter)) return '';
  const { name, in: place, required, description } = parameter;
  return html`<dt><code>${name}</code></dt><dd>${place}${required ? ', required' : ''}${description ? `. ${description}` : ''}</dd>`;
}

type Response = Exclude<NonNullable<Operation['responses']>[string], { $ref: string }>;

/** Problems are all of one form. */
function answerOf(status: string, { description, content = {} }: Response, examples: ExampleOf) {
  return html`${description}${status.startsWith('2') ? Object.values<Content>(content).map((one) => shown(examples(one))) : ''}`;
}

const shown = (example: string | null) => (example === null ? '' : html`<pre>${example}</pre>`);
