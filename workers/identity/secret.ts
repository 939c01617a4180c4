/** Secrets of credentials: `colink_`, the kind, and 256 random bits in base64url. Postgres holds their SHA-256 only. */
const FORM = /^colink_(pat|bot|ses)_[A-Za-z0-9_-]{43}$/;

export const looksLikeSecret = (text: string): boolean => FORM.test(text);

export function mintSessionSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `colink_ses_${btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
}

export async function hashSecret(secret: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(secret)));
}
