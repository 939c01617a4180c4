import * as oidc from 'openid-client';
import type { Env } from '../env.ts';
import type { LoginState } from './login-state.ts';

/** How long what a provider publishes of itself, keys among it, is used before it is read again. */
const FRESH_MS = 10 * 60_000;
const TIMEOUT_SECONDS = 5;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

export interface ProviderSettings {
  readonly issuer: URL;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
}

/**
 * Where sign-ins go; null where no provider is configured. Throws for an issuer that is neither https nor, in development, on loopback: what
 * travels over plain http can be forged on the way.
 */
export function providerSettings(env: Pick<Env, 'OIDC_ISSUER' | 'OIDC_CLIENT_ID' | 'OIDC_CLIENT_SECRET' | 'ENVIRONMENT'>): ProviderSettings | null {
  if (!env.OIDC_ISSUER || !env.OIDC_CLIENT_ID) return null;
  const issuer = new URL(env.OIDC_ISSUER);
  const isLocal = env.ENVIRONMENT === 'development' && issuer.protocol === 'http:' && LOOPBACK.has(issuer.hostname);
  if (issuer.protocol !== 'https:' && !isLocal) throw new Error('OIDC_ISSUER must be https; http is for loopback in development only');
  return { issuer, clientId: env.OIDC_CLIENT_ID, clientSecret: env.OIDC_CLIENT_SECRET };
}

/** The identity provider of an isolate. It holds one configuration at a time: there is one provider. */
export class Provider {
  readonly #now: () => number;
  #known: { readonly of: string; readonly at: number; readonly configuration: oidc.Configuration } | null = null;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Where to send the browser, and what it has to bring back. */
  async begin(settings: ProviderSettings, redirectUri: string, returnTo: string): Promise<{ url: URL; login: LoginState }> {
    const configuration = await this.#configuration(settings);
    const login = { state: oidc.randomState(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier(), return_to: returnTo };
    const url = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: 'openid profile email',
      state: login.state,
      nonce: login.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(login.verifier),
      code_challenge_method: 'S256',
    });
    return { url, login };
  }

  /** The claims of the verified ID token. Throws the library's errors: see `isRefusal`. */
  async finish(settings: ProviderSettings, callback: URL, login: LoginState): Promise<oidc.IDToken | undefined> {
    const configuration = await this.#configuration(settings);
    const tokens = await oidc.authorizationCodeGrant(configuration, callback, {
      expectedState: login.state,
      expectedNonce: login.nonce,
      pkceCodeVerifier: login.verifier,
      idTokenExpected: true,
    });
    return tokens.claims();
  }

  /** Who issues access tokens, and where the keys are that they are signed with. Null where the provider publishes none. */
  async publishes(settings: ProviderSettings): Promise<{ issuer: string; jwksUri: string } | null> {
    const { issuer, jwks_uri: jwksUri } = (await this.#configuration(settings)).serverMetadata();
    return jwksUri === undefined ? null : { issuer, jwksUri };
  }

  async #configuration(settings: ProviderSettings): Promise<oidc.Configuration> {
    const of = `${settings.issuer.href} ${settings.clientId}`;
    if (this.#known?.of === of && this.#now() - this.#known.at < FRESH_MS) return this.#known.configuration;
    const configuration = await discover(settings);
    this.#known = { of, at: this.#now(), configuration };
    return configuration;
  }
}

async function discover({ issuer, clientId, clientSecret }: ProviderSettings): Promise<oidc.Configuration> {
  const authentication = clientSecret ? oidc.ClientSecretPost(clientSecret) : oidc.None();
  const insecure = issuer.protocol === 'http:' ? [oidc.allowInsecureRequests] : [];
  const configuration = await oidc.discovery(issuer, clientId, {}, authentication, {
    timeout: TIMEOUT_SECONDS,
    // The ID token's signature is verified although it comes straight from the provider: a second lock on the same door.
    execute: [oidc.enableNonRepudiationChecks, ...insecure],
  });
  configuration.timeout = TIMEOUT_SECONDS;
  return configuration;
}

/** Whether the provider, or a check of its answer, refused the sign-in; otherwise it could not be asked. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof oidc.AuthorizationResponseError || error instanceof oidc.ResponseBodyError) return true;
  return error instanceof oidc.ClientError && error.code !== 'OAUTH_TIMEOUT' && error.code !== 'OAUTH_PARSE_ERROR';
}
