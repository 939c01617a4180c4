import { describe, expect, it } from 'vitest';
import { userSettingsSchema } from '../../protocol/settings.ts';
import { bodyOf, expectProblem, newCaller } from '../api-fixture.ts';

const PATH = '/v1/me/settings';
const at = (version: number) => ({ 'If-Match': `"${version}"` });

describe('settings of a user', () => {
  it('are as they come until some are made, and the caller\'s alone', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const read = await ada.call('GET', PATH);
    expect([bodyOf(read, 200, userSettingsSchema), read.headers.get('etag')]).toEqual([{ theme: 'system', time_format: 'auto', version: 0 }, '"0"']);
    expect(bodyOf(await ada.call('PATCH', PATH, { theme: 'dark' }, at(0)), 200, userSettingsSchema)).toEqual({ theme: 'dark', time_format: 'auto', version: 1 });
    const again = await ada.call('PATCH', PATH, { time_format: '24h' }, at(1));
    expect([bodyOf(again, 200, userSettingsSchema), again.headers.get('etag')]).toEqual([{ theme: 'dark', time_format: '24h', version: 2 }, '"2"']);
    expect((await ada.call('GET', PATH)).body).toEqual(again.body);
    expect((await bob.call('GET', PATH)).body).toMatchObject({ theme: 'system', version: 0 });
  });

  it('are changed by who knows what they are: of two at once one is refused', async () => {
    const ada = await newCaller();
    const answers = await Promise.all([ada.call('PATCH', PATH, { theme: 'dark' }, at(0)), ada.call('PATCH', PATH, { theme: 'light' }, at(0))]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412]);
    expectProblem(await ada.call('PATCH', PATH, { theme: 'dark' }), 'precondition_required');
    expect((await ada.call('GET', PATH)).body).toMatchObject({ version: 1 });
  });

  it('are of a closed set', async () => {
    const ada = await newCaller();
    for (const body of [{ theme: 'pink' }, { time_format: 12 }, { locale: 'de' }, { version: 7 }]) expectProblem(await ada.call('PATCH', PATH, body, at(0)), 'invalid');
    expect((await ada.call('GET', PATH)).body).toMatchObject({ version: 0 });
  });
});
