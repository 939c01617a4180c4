import type { Env } from '../env.ts';
import { ProblemError } from '../problems.ts';
import type { AccessToken, AccessTokens } from './access-tokens.ts';
import { type Provider, providerSettings } from './provider.ts';

/** Null for a token that is not to be taken. Throws `unavailable` where the provider has to be asked and does not answer. */
export async function verifyAccessToken(env: Env, token: string, provider: Provider, accessTokens: AccessTokens): Promise<AccessToken | null> {
  const settings = providerSettings(env);
  // An audience that is the client would let ID tokens in, which other sites are handed too.
  if (settings === null || env.OIDC_AUDIENCE === '' || env.OIDC_AUDIENCE === settings.clientId) return null;
  try {
    const published = await provider.publishes(settings);
    return published && (await accessTokens.verify(token, { ...published, audience: env.OIDC_AUDIENCE }));
  } catch (error) {
    console.warn(JSON.stringify({ level: 'warn', event: 'access_token_not_verified', error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }));
    throw new ProblemError({ code: 'unavailable', detail: 'the identity provider cannot be reached' });
  }
}
