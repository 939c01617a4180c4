import { env } from 'cloudflare:workers';
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test';
import { uuidv7 } from 'uuidv7';
import { expect, it } from 'vitest';
import { noticeOf, telling } from '../../durable-objects/user-inbox/inbox-fixture.ts';
import { MAX_TELLINGS } from '../../protocol/tellings.ts';
import { createApp } from '../app.ts';
import { newCaller, ORIGIN } from '../api-fixture.ts';
import { createServices } from '../services.ts';

const app = createApp(createServices());

async function tell(body: unknown, authorization: string | null, bindings: object = { FLEET_TOKEN: 'secret' }) {
  const context = createExecutionContext();
  const headers = { 'Content-Type': 'application/json', ...(authorization !== null && { Authorization: authorization }) };
  const request = new Request(`${ORIGIN}/internal/inboxes`, { method: 'POST', headers, body: JSON.stringify(body) });
  const response = await app.fetch(request, { ...env, ...bindings }, context);
  const answer = { status: response.status, body: await response.json<{ data?: unknown; code?: string }>() };
  await waitOnExecutionContext(context);
  return answer;
}

const one = (user_id: string) => ({ data: [{ user_id, ...telling({}) }] });

it('is not there without its secret, or for who does not know it (G5)', async () => {
  const { user, token } = await newCaller();
  for (const authorization of [null, 'Bearer wrong', 'Bearer secre', 'Bearer ', `Bearer ${token}`]) {
    expect(await tell(one(user.id), authorization)).toMatchObject({ status: 404, body: { code: 'not_found' } });
  }
  for (const nothing of ['', undefined]) expect(await tell(one(user.id), 'Bearer ', { FLEET_TOKEN: nothing })).toMatchObject({ status: 404 });
});

it('tells many inboxes, each for itself, and says of each what became of it', async () => {
  const [ada, bob] = [await newCaller(), await newCaller()];
  const channel = uuidv7();
  const data = [ada, bob].map(({ user }) => ({ user_id: user.id, ...telling({ notices: [noticeOf(channel, 1)] }) }));
  const answer = await tell({ data: [...data, { user_id: uuidv7(), ...telling({}) }] }, 'Bearer secret');
  expect(answer).toMatchObject({ status: 200, body: { data: [{ status: 'asleep' }, { status: 'asleep' }, { status: 'unknown' }] } });
});

it('takes no more than its bounds, and nothing of another form (G8)', async () => {
  const { user } = await newCaller();
  for (const body of [{ data: [] }, { data: Array.from({ length: MAX_TELLINGS + 1 }, () => one(user.id).data[0]) }, { data: [{ user_id: user.id }] }, []]) {
    expect(await tell(body, 'Bearer secret')).toMatchObject({ status: 422, body: { code: 'invalid' } });
  }
});
