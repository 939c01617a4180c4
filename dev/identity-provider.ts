import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { errors, interactionPolicy, Provider, type Configuration } from 'oidc-provider';
import { z } from 'zod';
import { TOKEN_SCOPES } from '../protocol/scopes.ts';
import { accountFor } from './accounts.ts';
import { persistentKeys, type IdentityKeys } from './identity-keys.ts';
import { AUDIENCE, issuerAt, PROGRAM } from './issuer.ts';
import { loginPage } from './login-page.ts';

/**
 * The identity provider for development: a certified OpenID provider on loopback, without passwords.
 * `node dev/identity-provider.ts '<settings as JSON>'`.
 */
export const identitySettingsSchema = z.strictObject({
  port: z.int(),
  clientId: z.string(),
  redirectUris: z.array(z.url()),
  /** Where the signing keys are kept. */
  keysFile: z.string(),
});
export type IdentitySettings = z.infer<typeof identitySettingsSchema>;

const HOUR = 3600;
const INTERACTION = /^\/interaction\/[\w-]+$/;

function configuration({ clientId, redirectUris }: IdentitySettings, keys: IdentityKeys): Configuration {
  return {
    clients: [
      {
        client_id: clientId,
        redirect_uris: [...redirectUris],
        response_types: ['code'],
        grant_types: ['authorization_code'],
        token_endpoint_auth_method: 'none',
      },
      {
        client_id: PROGRAM.id,
        client_secret: PROGRAM.secret,
        redirect_uris: [],
        response_types: [],
        grant_types: ['client_credentials'],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    jwks: { keys: [keys.signing] },
    cookies: { keys: [keys.cookies] },
    pkce: { required: () => true },
    scopes: ['openid', 'profile', 'email'],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    // The ID token carries the claims itself: one request less for the Worker.
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: false }, clientCredentials: { enabled: true }, resourceIndicators: accessTokensFor(AUDIENCE) },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}`, policy: chooseEachTime() },
    ttl: { AccessToken: HOUR, IdToken: HOUR, Interaction: HOUR, Session: 14 * 24 * HOUR, Grant: 14 * 24 * HOUR },
    findAccount: (_context, subject) => findAccount(subject),
    loadExistingGrant: async (context) => {
      const { client, session, provider } = context.oidc;
      if (!client || !session?.accountId) return undefined;
      // The client is Colink itself: nobody is asked for consent.
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
  };
}

/** Access tokens for the API are JWTs (RFC 9068), which whoever has the provider's keys can verify. */
function accessTokensFor(audience: string): NonNullable<NonNullable<Configuration['features']>['resourceIndicators']> {
  return {
    enabled: true,
    defaultResource: () => [],
    getResourceServerInfo: (_context, resource) => {
      if (resource !== audience) throw new errors.InvalidTarget();
      return { scope: TOKEN_SCOPES.join(' '), audience, accessTokenFormat: 'jwt', accessTokenTTL: HOUR, jwt: { sign: { alg: 'RS256' } } };
    },
  };
}

/** A browser's earlier choice does not count: one machine plays several people. */
function chooseEachTime(): interactionPolicy.DefaultPolicy {
  const policy = interactionPolicy.base();
  const chosen = new interactionPolicy.Check('not_chosen', 'an account is chosen at every sign-in', 'login_required', (context) =>
    context.oidc.result?.login ? interactionPolicy.Check.NO_NEED_TO_PROMPT : interactionPolicy.Check.REQUEST_PROMPT,
  );
  policy.get('login')?.checks.add(chosen);
  return policy;
}

function findAccount(subject: string) {
  const account = accountFor(subject);
  if (account === null) return undefined;
  const { handle, name } = account;
  return {
    accountId: handle,
    claims: () => ({ sub: handle, preferred_username: handle, name, email: `${handle}@colink.test`, email_verified: true }),
  };
}

function sendPage(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'cache-control': 'no-store',
  });
  response.end(html);
}

async function interact(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? '';
  await provider.interactionDetails(request, response);
  if (request.method !== 'POST') return sendPage(response, 200, loginPage(path));
  const account = accountFor(new URLSearchParams(await text(request)).get('handle') ?? '');
  if (account === null) return sendPage(response, 422, loginPage(path, 'A handle is 1 to 32 letters, digits, dots, dashes or underscores.'));
  await provider.interactionFinished(request, response, { login: { accountId: account.handle } }, { mergeWithLastSubmission: false });
}

export function identityServer(settings: IdentitySettings): Server {
  const provider = new Provider(issuerAt(settings.port), configuration(settings, persistentKeys(settings.keysFile)));
  const serve = provider.callback();
  return createServer((request, response) => {
    if (!INTERACTION.test(request.url ?? '')) return void serve(request, response);
    interact(provider, request, response).catch(() => sendPage(response, 400, 'This sign-in is over. Go back to Colink and begin again.'));
  });
}

if (import.meta.main) {
  if (process.env['ENVIRONMENT'] !== 'development') {
    console.error('The identity provider without passwords runs where ENVIRONMENT is development only.');
    process.exit(1);
  }
  const settings = identitySettingsSchema.parse(JSON.parse(process.argv[2] ?? ''));
  const server = identityServer(settings).listen(settings.port, '127.0.0.1');
  process.once('SIGTERM', () => {
    server.closeAllConnections();
    server.close(() => process.exit(0));
  });
}
