import { z } from '@hono/zod-openapi';

/**
 * What the browser keeps between the way to the provider and the way back, in a `__Host-` cookie that only this origin can set. It needs no signature:
 * `state` and `nonce` are compared with what the provider returns, `verifier` is proved to the provider, `return_to` is checked again.
 */
const loginStateSchema = z.tuple([z.string().min(20).max(200), z.string().min(20).max(200), z.string().min(43).max(128), z.string().max(2_000)]);

export interface LoginState {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly return_to: string;
}

/** The cookie's value, before the encoding every cookie gets. */
export const encodeLoginState = ({ state, nonce, verifier, return_to }: LoginState): string => JSON.stringify([state, nonce, verifier, return_to]);

export function decodeLoginState(cookie: string | undefined): LoginState | null {
  try {
    const [state, nonce, verifier, return_to] = loginStateSchema.parse(JSON.parse(cookie ?? ''));
    return localPath(return_to) === null ? null : { state, nonce, verifier, return_to };
  } catch {
    return null;
  }
}

/** What a path of this origin is made of, for the document; `localPath` is stricter yet. */
export const LOCAL_PATH_PATTERN = String.raw`^/([\x21-\x2e\x30-\x5b\x5d-\x7e][\x21-\x5b\x5d-\x7e]{0,1990})?$`;

/** A path of this origin, as given; null for whatever a browser could read as another origin's address. */
export function localPath(value: string): string | null {
  if (value.length > 2_000 || !/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(value)) return null;
  const origin = 'https://local.invalid';
  return URL.canParse(value, origin) && new URL(value, origin).origin === origin ? value : null;
}
