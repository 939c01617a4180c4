/**
 * The few of Node's modules that code in workerd, and tests of its cores, use. All of Node's types at once would contradict the
 * Workers' own.
 */
declare module 'node:buffer' {
  export const Buffer: { from(bytes: Uint8Array): Uint8Array };
}

declare module 'node:timers/promises' {
  export function setTimeout(ms: number): Promise<void>;
}

declare module 'node:sqlite' {
  type Value = string | number | null;
  interface Statement {
    all(...bindings: Value[]): unknown[];
    run(...bindings: Value[]): { changes: number | bigint };
  }
  export class DatabaseSync {
    constructor(path: string);
    prepare(statement: string): Statement;
    exec(statements: string): void;
  }
}
