import type { WalPosition } from '../../db/queries/replication.ts';

/** No replica has come so far: a read that asks for this is served by the primary. */
const BEYOND: WalPosition = (1n << 64n) - 1n;
const DIGITS = 16;

/** Null: where the record stood could not be learnt. */
export const encodeToken = (position: WalPosition | null): string => (position ?? BEYOND).toString(16).padStart(DIGITS, '0');

/** Null for no token. One that is not ours may mean anything, so the primary answers it. */
export function decodeToken(token: string | null): WalPosition | null {
  if (token === null) return null;
  return /^[0-9a-f]{16}$/.test(token) ? BigInt(`0x${token}`) : BEYOND;
}
