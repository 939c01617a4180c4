import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { z } from 'zod';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

const contentsSchema = z.record(z.string(), z.looseObject({ schema: z.unknown(), example: z.unknown().optional() }));
const answerSchema = z.looseObject({
  content: contentsSchema.optional(),
  headers: z.record(z.string(), z.looseObject({ $ref: z.string().optional(), required: z.boolean().optional() })).optional(),
  links: z.record(z.string(), z.looseObject({ operationId: z.string(), parameters: z.record(z.string(), z.string()) })).optional(),
});
const parameterSchema = z.looseObject({ name: z.string(), in: z.enum(['path', 'query', 'header', 'cookie']), required: z.boolean().optional(), schema: z.unknown() });
const operationSchema = z.looseObject({
  operationId: z.string(),
  summary: z.string().optional(),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  parameters: z.array(parameterSchema).default([]),
  requestBody: z.looseObject({ content: contentsSchema }).optional(),
  responses: z.record(z.string(), answerSchema),
});
const documentSchema = z.looseObject({
  paths: z.record(z.string(), z.looseObject(Object.fromEntries(METHODS.map((method) => [method, operationSchema.optional()])) as Record<(typeof METHODS)[number], z.ZodOptional<typeof operationSchema>>)),
  components: z.looseObject({ headers: z.record(z.string(), z.looseObject({ required: z.boolean().optional() })) }),
});

export interface Operation extends z.infer<typeof operationSchema> {
  /** `GET /v1/me`. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
}
export type Answer = z.infer<typeof answerSchema>;

/** A body of the document, of a request or of an answer, with all names of the way to its schema. */
export interface Body {
  /** `<operation> body`, or `<operation> <status>`. */
  readonly name: string;
  readonly type: string;
  readonly pointer: string;
  readonly example: unknown;
}

const ROOT = 'openapi.json';
const escape = (part: string): string => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
export const pointerTo = (...parts: readonly string[]): string => `/${parts.map(escape).join('/')}`;

/** An OpenAPI document, and what is of its schemas: by ajv, with formats. */
export class ApiDocument {
  readonly operations: readonly Operation[];
  readonly #ajv = addFormats(new Ajv2020({ strict: false, allErrors: true, unicodeRegExp: true }));
  readonly #requiredHeaders: ReadonlySet<string>;

  constructor(document: unknown) {
    const { paths, components } = documentSchema.parse(document);
    this.#ajv.addSchema(document as object, ROOT);
    this.#requiredHeaders = new Set(Object.entries(components.headers).flatMap(([name, { required }]) => (required === true ? [`#/components/headers/${name}`] : [])));
    this.operations = Object.entries(paths).flatMap(([path, item]) =>
      METHODS.flatMap((method) => (item[method] ? [{ ...item[method], name: `${method.toUpperCase()} ${path}`, method: method.toUpperCase(), path }] : [])),
    );
  }

  /** What a value has against the schema at a pointer of the document. */
  faults(pointer: string, value: unknown): string[] {
    const ref = `${ROOT}#${pointer}`;
    const validate = this.#ajv.getSchema(ref) ?? this.#ajv.compile({ $ref: ref });
    return validate(value) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  }

  /** Bodies of requests and of successful answers, but events and the like. */
  get bodies(): Body[] {
    return this.operations.flatMap((operation) => [
      ...bodiesAt(`${operation.operationId} body`, operation.requestBody?.content, [...placeOf(operation), 'requestBody', 'content']),
      ...Object.entries(operation.responses).flatMap(([status, answer]) =>
        bodiesAt(`${operation.operationId} ${status}`, answer.content, [...placeOf(operation), 'responses', status, 'content']).filter(({ type }) => type !== 'application/problem+json'),
      ),
    ]);
  }

  /** The example of a body, or the one of its schema. */
  exampleOf({ pointer, example }: Body): unknown {
    if (example !== undefined) return example;
    const ref = this.#at(pointer, '$ref');
    const named = typeof ref === 'string' ? ref.slice(1) : pointer;
    return this.#at(named, 'example') ?? firstOf(this.#at(named, 'examples'));
  }

  /** A schema by the reference that another has to it. */
  resolve(ref: string): unknown {
    return this.#ajv.getSchema(`${ROOT}${ref}`)?.schema;
  }

  requiredHeaders(answer: Answer): string[] {
    return Object.entries(answer.headers ?? {}).flatMap(([name, { $ref, required }]) => (required === true || ($ref !== undefined && this.#requiredHeaders.has($ref)) ? [name] : []));
  }

  #at(pointer: string, key: string): unknown {
    const schema: unknown = this.#ajv.getSchema(`${ROOT}#${pointer}`)?.schema;
    return typeof schema === 'object' && schema !== null ? Reflect.get(schema, key) : undefined;
  }
}

export const placeOf = ({ path, method }: Operation): string[] => ['paths', path, method.toLowerCase()];

const firstOf = (list: unknown): unknown => (Array.isArray(list) ? list[0] : undefined);

const bodiesAt = (name: string, contents: Answer['content'] = {}, place: readonly string[]): Body[] =>
  Object.entries(contents).map(([type, { example }]) => ({ name, type, pointer: pointerTo(...place, type, 'schema'), example }));
