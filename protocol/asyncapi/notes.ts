/** What people read of a message: `examples` are valid against its schema, which a test shows. */
export interface Note<T> {
  readonly title: string;
  readonly summary: string;
  readonly examples: readonly [T, ...T[]];
}

/** A note for each member of a union: one that is new and has none does not compile. */
export type Notes<T extends { readonly type: string }> = { readonly [K in T['type']]: Note<Extract<T, { readonly type: K }>> };

/** The people and things of all examples. */
export const ADA = '019abcde-0000-7000-8000-00000000000a';
export const BOB = '019abcde-0000-7000-8000-00000000000b';
export const CHANNEL = '019abcde-0000-7000-8000-0000000000c1';
export const MESSAGE = '019abcde-0000-7000-8000-0000000000f1';
export const REPLY = '019abcde-0000-7000-8000-0000000000f2';
export const FILE = '019abcde-0000-7000-8000-0000000000e1';
