import type { App } from '../env.ts';

export type ApiDocument = ReturnType<App['getOpenAPI31Document']>;

type PathItem = NonNullable<ApiDocument['paths']>[string];
export type Operation = NonNullable<PathItem['get']>;

export const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

export interface Described {
  readonly method: (typeof METHODS)[number];
  readonly path: string;
  /** The very one of the document: what is set here is set there. */
  readonly operation: Operation;
}

export const operationsOf = ({ paths = {} }: Pick<ApiDocument, 'paths'>): Described[] =>
  Object.entries(paths).flatMap(([path, item]) => METHODS.flatMap((method) => (item[method] ? [{ method, path, operation: item[method] }] : [])));
