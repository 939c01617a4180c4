/** Secrets of credentials: `colink_`, the kind, and 256 random bits in base64url. Postgres holds their SHA-256 only. */
const FORM = /^colink_(pat|bot|ses)_[A-Za-z0-9_-]{43}$/;

export const looksLikeSecret = (text: string): boolean => FORM.test(text);

const PREFIX = { session: 'ses', personal: 'pat', bot: 'bot' } as const;

export function mintSecret(kind: keyof typeof PREFIX): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `colink_${PREFIX[kind]}_${btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
}

/** Longest access token of a provider that is looked at, in characters. */
const MAX_JWT = 4_096;
const JWT_FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

export const looksLikeJwt = (text: string): boolean => text.length <= MAX_JWT && JWT_FORM.test(text);

export async function hashSecret(secret: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(secret)));
}
