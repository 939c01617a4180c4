import { OpenAPIHono } from '@hono/zod-openapi';
import { refuseInvalid } from './api-route.ts';
import type { App, AppEnv } from './env.ts';
import { failureFor } from './guests.ts';
import { allowOrigins } from './middleware/allow-origins.ts';
import { authenticate } from './middleware/authenticate.ts';
import { limitBody } from './middleware/limit-body.ts';
import { measure } from './middleware/measure.ts';
import { refuseForgery } from './middleware/refuse-forgery.ts';
import { registerSecurity } from './openapi.ts';
import { answerError, problemResponse } from './problems.ts';
import { adminRoutes } from './routes/admin.ts';
import { auditRoutes } from './routes/audit.ts';
import { channelRoutes } from './routes/channels.ts';
import { credentialRoutes } from './routes/credentials.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { directChannelRoutes } from './routes/direct-channels.ts';
import { docsRoutes } from './routes/docs.ts';
import { emailSettingsRoutes } from './routes/email-settings.ts';
import { exportRoutes } from './routes/export.ts';
import { draftRoutes } from './routes/drafts.ts';
import { avatarRoutes } from './routes/avatars.ts';
import { fileRoutes } from './routes/files.ts';
import { hookRoutes } from './routes/hooks.ts';
import { historyRoutes } from './routes/history.ts';
import { incomingWebhookRoutes } from './routes/incoming-webhooks.ts';
import { internalFileRoutes } from './routes/internal-files.ts';
import { internalRoutes } from './routes/internal.ts';
import { internalScheduledRoutes } from './routes/internal-scheduled.ts';
import { meRoutes } from './routes/me.ts';
import { invitationRoutes } from './routes/invitations.ts';
import { memberRoutes } from './routes/members.ts';
import { messagePlaceRoutes } from './routes/message-places.ts';
import { messageRoutes } from './routes/messages.ts';
import { moderationRoutes } from './routes/moderation.ts';
import { notificationRoutes } from './routes/notifications.ts';
import { notificationSettingsRoutes } from './routes/notification-settings.ts';
import { operationsRoutes } from './routes/operations.ts';
import { pinRoutes } from './routes/pins.ts';
import { previewRoutes } from './routes/previews.ts';
import { presenceRoutes } from './routes/presence.ts';
import { pushSubscriptionRoutes } from './routes/push-subscriptions.ts';
import { readStateRoutes } from './routes/read-states.ts';
import { revisionRoutes } from './routes/revisions.ts';
import { scheduledMessageRoutes } from './routes/scheduled-messages.ts';
import { savedRoutes } from './routes/saved.ts';
import { searchRoutes } from './routes/search.ts';
import { sessionRoutes } from './routes/session.ts';
import { settingsRoutes } from './routes/settings.ts';
import { slackRoutes } from './routes/slack.ts';
import { socketRoutes, socketTicketRoutes } from './routes/sockets.ts';
import { threadRoutes } from './routes/threads.ts';
import { unsubscribeRoutes } from './routes/unsubscribe.ts';
import { userRoutes } from './routes/users.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import { workspaceSettingsRoutes } from './routes/workspace-settings.ts';
import type { Services } from './services.ts';

/** The whole API. Order matters: middleware first, then what authenticates by itself or not at all, then what `authenticate` guards. */
export function createApp(services: Services): App {
  const app = new OpenAPIHono<AppEnv>({ defaultHook: refuseInvalid });
  app.onError(async (error, c) => answerError(await failureFor(c, error), c));
  app.notFound((c) => problemResponse(c, { code: 'not_found' }));
  registerSecurity(app);

  app.use(measure(services.metrics), allowOrigins(), limitBody(), refuseForgery());

  app.route('/', operationsRoutes());
  app.route('/', docsRoutes(() => app));
  app.route('/', internalRoutes());
  app.route('/', internalFileRoutes());
  app.route('/', internalScheduledRoutes());
  app.route('/', sessionRoutes(services));
  app.route('/', socketRoutes(services));
  app.route('/', hookRoutes(services));
  app.route('/', slackRoutes(services));
  app.route('/', unsubscribeRoutes());

  app.use('/v1/*', authenticate(services));
  for (const routes of guardedRoutes(services)) app.route('/', routes);

  refuseOtherMethods(app);
  return app;
}

const guardedRoutes = (services: Services): App[] => [
  meRoutes(services),
  channelRoutes(services),
  directChannelRoutes(),
  invitationRoutes(services),
  memberRoutes(),
  historyRoutes(services),
  messageRoutes(services),
  pinRoutes(services),
  previewRoutes(services),
  revisionRoutes(),
  messagePlaceRoutes(),
  savedRoutes(),
  presenceRoutes(),
  notificationRoutes(),
  notificationSettingsRoutes(),
  pushSubscriptionRoutes(),
  emailSettingsRoutes(),
  settingsRoutes(),
  fileRoutes(services),
  avatarRoutes(services),
  readStateRoutes(),
  draftRoutes(),
  scheduledMessageRoutes(),
  threadRoutes(),
  searchRoutes(services),
  socketTicketRoutes(),
  userRoutes(services),
  credentialRoutes(),
  adminRoutes(services),
  auditRoutes(),
  moderationRoutes(),
  exportRoutes(),
  deadLetterRoutes(),
  webhookRoutes(),
  workspaceSettingsRoutes(),
  incomingWebhookRoutes(),
];

/** 405 with `Allow` for every path that exists: the last route of each path takes what no other took. */
function refuseOtherMethods(app: App): void {
  for (const [path, methods] of methodsByPath(app)) {
    const headers = { Allow: methods.map((method) => method.toUpperCase()).join(', ') };
    app.all(path, (c) => problemResponse(c, { code: 'method_not_allowed' }, headers));
  }
}

function methodsByPath(app: App): Map<string, string[]> {
  const methods = new Map([['/openapi.json', ['get', 'head']], ['/asyncapi.json', ['get', 'head']], ['/docs', ['get', 'head']]]);
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route') continue;
    const path = definition.route.path.replaceAll(/\{(.+?)\}/g, ':$1');
    methods.set(path, [...(methods.get(path) ?? []), ...(definition.route.method === 'get' ? ['get', 'head'] : [definition.route.method])]);
  }
  return methods;
}
