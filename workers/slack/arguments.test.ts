import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { errorCodes, ERRORS } from '../../protocol/errors.ts';
import { flagArgument, given, limitArgument, readBodyArguments, structureArgument, textArgument } from './arguments.ts';
import { refusalOf } from './errors.ts';
import { methods } from './methods.ts';

describe('arguments', () => {
  it('are of a form or of a JSON object', async () => {
    expect(await readBodyArguments('channel=C1&text=a+%26%20b', 'application/x-www-form-urlencoded')).toEqual({ channel: 'C1', text: 'a & b' });
    expect(await readBodyArguments('{"channel":"C1","limit":3}', 'application/json; charset=utf-8')).toEqual({ channel: 'C1', limit: 3 });
    expect([await readBodyArguments('', ''), await readBodyArguments('', 'application/json')]).toEqual([{}, {}]);
    for (const body of ['[]', 'null', '{', '"x"']) expect(await readBodyArguments(body, 'application/json')).toBeNull();
    expect(given({ a: '', b: null, c: undefined, d: 0, e: 'x', f: false })).toEqual({ d: 0, e: 'x', f: false });
  });

  // Node takes none of less than 27 characters.
  const B = 'what-stands-between-the-parts';
  const TYPE = `multipart/form-data; boundary=${B}`;
  const part = (disposition: string, value: string, more = ''): string => `--${B}\r\nContent-Disposition: form-data; ${disposition}\r\n${more}\r\n${value}\r\n`;
  const readForm = (...parts: string[]) => readBodyArguments(`${parts.join('')}--${B}--\r\n`, TYPE);

  it('are the fields of a form in parts, and a file is none of them', async () => {
    expect(await readForm(part('name="channel"', 'C1'), part('name="text"', 'a & b\r\n漢字 --what', 'Content-Type: text/plain; charset=utf-8\r\n'), part('name="empty"', ''))).toEqual({ channel: 'C1', text: 'a & b\r\n漢字 --what', empty: '' });
    expect(await readForm(part('name="a"', '1'), part('name="a"', '2'))).toEqual({ a: '2' });
    expect(await readForm()).toEqual({});
    for (const file of ['x', '']) {
      await expect(readForm(part('name="channel"', 'C1'), part('name="file"; filename="a.txt"', file))).rejects.toMatchObject({ word: 'invalid_form_data', more: { response_metadata: { messages: [expect.stringContaining('file')] } } });
    }
    for (const [body, type] of [['x', TYPE], [part('name="a"', '1'), TYPE], [`--${B}--\r\n`, 'multipart/form-data'], [`${part('name="a"', '1')}--${B}--`, TYPE.replace('form-data', 'mixed')]] as const) {
      expect([body, await readBodyArguments(body, type)]).toEqual([body, null]);
    }
  });

  it('are what they say, as text or as themselves', () => {
    expect(['true', '1', true, 1, 'false', '0', false, 0].map((value) => flagArgument.parse(value))).toEqual([true, true, true, true, false, false, false, false]);
    expect([flagArgument.safeParse('yes').success, flagArgument.safeParse({}).success]).toEqual([false, false]);
    const limit = z.object({ limit: limitArgument(100, 200) });
    expect([{}, { limit: '7' }, { limit: 999 }].map((args) => limit.parse(args).limit)).toEqual([100, 7, 200]);
    expect(['0', '-1', 'x', '1.5', {}, '0x1', '1e1', ' 5', '5.0', true, ['5'], 0, 1.5].filter((value) => limit.safeParse({ limit: value }).success)).toEqual([]);
    expect([textArgument.parse(17), textArgument.parse('x'), textArgument.safeParse({}).success]).toEqual(['17', 'x', false]);
    expect(['[{"type":"divider"}]', [1], 'not json'].map((value) => structureArgument.parse(value))).toEqual([[{ type: 'divider' }], [1], null]);
  });
});

describe('refusals', () => {
  it('have a word each, and a status that tells a client to come back just where it may', () => {
    for (const code of errorCodes) expect({ code, ...refusalOf({ code }).body }).toMatchObject({ code, ok: false, error: expect.stringMatching(/^[a-z_]+$/) });
    // Of the key the body says nothing, so the answer has to; the others say no more than their word.
    expect(errorCodes.filter((code) => refusalOf({ code }).body.response_metadata !== undefined)).toEqual(['idempotency_mismatch']);
    // What is still being scanned is no conversation, and nothing here is answered with it.
    const again = errorCodes.filter((code) => ERRORS[code].retry && code !== 'file_not_clean');
    expect(errorCodes.filter((code) => refusalOf({ code }).status !== 200)).toEqual(again);
    expect(refusalOf({ code: 'forbidden' }, { forbidden: 'cant_update_message' }).body.error).toBe('cant_update_message');
    expect(refusalOf({ code: 'invalid', detail: 'd', errors: [{ pointer: '/text', detail: 'e' }] }).body.response_metadata).toEqual({ messages: ['[ERROR] d', '[ERROR] /text: e'] });
  });

  it('are of the methods that the page lists', () => {
    expect([...methods.keys()].toSorted()).toMatchInlineSnapshot(`
      [
        "auth.test",
        "chat.delete",
        "chat.getPermalink",
        "chat.postMessage",
        "chat.update",
        "conversations.history",
        "conversations.info",
        "conversations.join",
        "conversations.leave",
        "conversations.list",
        "conversations.mark",
        "conversations.members",
        "conversations.open",
        "conversations.replies",
        "reactions.add",
        "reactions.get",
        "reactions.remove",
        "users.conversations",
        "users.info",
        "users.list",
      ]
    `);
  });
});
