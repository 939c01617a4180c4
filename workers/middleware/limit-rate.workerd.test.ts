import { expect, it } from 'vitest';
import { expectProblem, newCaller, type Answer } from '../api-fixture.ts';
import { POLICIES } from './limit-rate.ts';

/** The platform counts in windows of the clock, so a run may fall into two. */
const MOST = 2 * POLICIES.send.quota + 1;

it('G8: a user past the quota is told to wait, another is not', async () => {
  const [ada, bob] = [await newCaller(), await newCaller()];
  const create = (caller: typeof ada) => caller.call('POST', '/v1/channels', {});
  let refused: Answer | undefined;
  for (let made = 0; made < MOST && !refused; made += 50) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => create(ada)));
    refused = answers.find(({ status }) => status !== 422);
  }
  if (!refused) throw new Error('never refused');
  expectProblem(refused, 'rate_limited');
  expect(Object.fromEntries(refused.headers)).toMatchObject({ 'retry-after': '60', ratelimit: '"send";r=0;t=60', 'ratelimit-policy': '"send";q=600;w=60' });
  expect((await create(bob)).status).toBe(422);
  expect((await ada.call('GET', '/v1/me')).status).toBe(200);
});
