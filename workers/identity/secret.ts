/** Secrets of credentials: `colink_`, the kind, and 256 random bits in base64url. Postgres holds their SHA-256 only. */
const FORM = /^colink_(pat|bot|ses)_[A-Za-z0-9_-]{43}$/;

/** Nobody is signed in by an invitation. */
export const INVITATION_FORM = /^colink_inv_[A-Za-z0-9_-]{43}$/;

export const looksLikeSecret = (text: string): boolean => FORM.test(text);

const PREFIX = { session: 'ses', personal: 'pat', bot: 'bot', invitation: 'inv' } as const;

export const mintSecret = (kind: keyof typeof PREFIX): string => `colink_${PREFIX[kind]}_${randomText()}`;

function randomText(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

const HOOK_FORM = /^colink_hook_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;

/** The secret of an incoming webhook: it names its channel, so that a post into it needs no look-up. It is no bearer token. */
export const mintHookSecret = (channelId: string): string => `colink_hook_${channelId.replaceAll('-', '')}_${randomText()}`;

/** The channel that such a secret names; null for what is none. Whether there is such a secret its hash tells, which covers the name. */
export function channelOfHook(secret: string): string | null {
  const parts = HOOK_FORM.exec(secret);
  return parts && parts.slice(1).join('-');
}

/** Longest access token of a provider that is looked at, in characters. */
const MAX_JWT = 4_096;
const JWT_FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

export const looksLikeJwt = (text: string): boolean => text.length <= MAX_JWT && JWT_FORM.test(text);

export async function hashSecret(secret: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(secret)));
}
