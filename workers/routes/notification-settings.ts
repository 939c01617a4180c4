import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { changeChannelNotificationSettings, findChannelNotificationSettings } from '../../db/queries/channel-notification-settings.ts';
import { changeNotificationSettings, findNotificationSettings, type SettingsRequest } from '../../db/queries/notification-settings.ts';
import {
  channelNotificationSettingsBodySchema, channelNotificationSettingsSchema, notificationSettingsBodySchema, notificationSettingsSchema,
} from '../../protocol/notifications.ts';
import { apiRoute, channelParams, json, jsonBody, problemAnswer } from '../api-route.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { withPostgres } from '../postgres.ts';
import { etagOf, expectedVersion, settingsHeaders } from '../preconditions.ts';
import { unwrap } from '../problems.ts';
import { traceparentOf } from '../traceparent.ts';

const MINE = '/v1/me/notification-settings';
const OF_CHANNEL = '/v1/channels/{id}/notification-settings';
const refusals = { 412: problemAnswer('precondition_failed'), 428: problemAnswer('precondition_required') };

const read = apiRoute({ scope: 'channels:read', limit: 'read' }, MINE, {
  method: 'get',
  summary: 'What the caller is notified of: level, keywords, quiet hours',
  responses: { 200: json(notificationSettingsSchema, 'The settings, with their version as ETag') },
});

const change = apiRoute({ scope: 'channels:write', limit: 'send' }, MINE, {
  method: 'patch',
  summary: 'Change what the caller is notified of; what is absent stays',
  request: { headers: settingsHeaders, ...jsonBody(notificationSettingsBodySchema) },
  responses: { 200: json(notificationSettingsSchema, 'The settings, with their version as ETag'), ...refusals },
});

const readChannel = apiRoute({ scope: 'channels:read', limit: 'read' }, OF_CHANNEL, {
  method: 'get',
  summary: 'What the caller, a member, is notified of in a channel',
  request: { params: channelParams },
  responses: { 200: json(channelNotificationSettingsSchema, 'The settings, with their version as ETag') },
});

const changeChannel = apiRoute({ scope: 'channels:write', limit: 'send' }, OF_CHANNEL, {
  method: 'patch',
  summary: 'Mute a channel, or be notified in it at a level of its own; what is absent stays',
  request: { headers: settingsHeaders, params: channelParams, ...jsonBody(channelNotificationSettingsBodySchema) },
  responses: { 200: json(channelNotificationSettingsSchema, 'The settings, with their version as ETag'), ...refusals },
});

export function notificationSettingsRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(read, async (c) => {
    const settings = unwrap(await withPostgres(c, (db) => findNotificationSettings(db, c.get('identity').actor.credential_id)));
    return c.json(settings, 200, { ETag: etagOf(settings) });
  });

  app.openapi(change, async (c) => {
    const [body, expected] = [c.req.valid('json'), expectedVersion(c.req.valid('header'))];
    const answer = await writeDirectory(c, { body: notificationSettingsSchema, statuses: [200] }, async (tx, now) =>
      answered(200, await changeNotificationSettings(tx, requestOf(c, expected, now), body)),
    );
    return c.json(answer.body, 200, { ETag: etagOf(answer.body) });
  });

  app.openapi(readChannel, async (c) => {
    const { id } = c.req.valid('param');
    const settings = unwrap(await withPostgres(c, (db) => findChannelNotificationSettings(db, c.get('identity').actor.credential_id, id)));
    return c.json(settings, 200, { ETag: etagOf(settings) });
  });

  app.openapi(changeChannel, async (c) => {
    const { id: channelId } = c.req.valid('param');
    const [body, expected] = [c.req.valid('json'), expectedVersion(c.req.valid('header'))];
    const answer = await writeDirectory(c, { body: channelNotificationSettingsSchema, statuses: [200] }, async (tx, now) =>
      answered(200, await changeChannelNotificationSettings(tx, { ...requestOf(c, expected, now), channelId }, body)),
    );
    return c.json(answer.body, 200, { ETag: etagOf(answer.body) });
  });

  return app;
}

function requestOf(c: Context<AppEnv>, expected: number, now: Date): SettingsRequest {
  const { credential_id: credentialId, user_id: userId } = c.get('identity').actor;
  return { credentialId, userId, expected, now, traceparent: traceparentOf(c.req.raw.headers) };
}
