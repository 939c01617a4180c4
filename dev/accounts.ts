/** An account of the development identity provider. Its subject is its handle. */
export interface Account {
  readonly handle: string;
  readonly name: string;
}

/** The seeded ones. The provider takes any other handle as well. */
export const DEMO_ACCOUNTS: readonly Account[] = [
  { handle: 'alice', name: 'Alice Adams' },
  { handle: 'bob', name: 'Bob Baker' },
];

const HANDLE = /^[a-z0-9][a-z0-9._-]{0,31}$/;

/** The account of a handle as a person typed it, or null if it cannot be one. */
export function accountFor(typed: string): Account | null {
  const handle = typed.trim().toLowerCase();
  if (!HANDLE.test(handle)) return null;
  return DEMO_ACCOUNTS.find((account) => account.handle === handle) ?? { handle, name: handle };
}
