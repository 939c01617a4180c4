/** The one part of Node's types that code in workerd uses; all of them would contradict the Workers' own. */
declare module 'node:buffer' {
  export const Buffer: { from(bytes: Uint8Array): Uint8Array };
}
