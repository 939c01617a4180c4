import { describe, expect, it } from 'vitest';
import { describeEvents } from './asyncapi.ts';
import { MESSAGES, schemas } from './messages.ts';

const document: Record<string, unknown> = JSON.parse(JSON.stringify(describeEvents()));

/** Every value of a document, with its path. */
function* values(value: unknown, path: readonly string[] = []): Generator<{ path: readonly string[]; value: unknown }> {
  yield { path, value };
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) yield* values(child, [...path, key]);
}

const at = (pointer: string): unknown =>
  pointer
    .split('/')
    .slice(1)
    .reduce<unknown>((value, part) => {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
      return typeof value === 'object' && value !== null ? Object.entries(value).find(([name]) => name === key)?.[1] : undefined;
    }, document);

const pointersIn = (value: unknown): string[] =>
  [...values(value)].filter(({ path }) => path.at(-1) === '$ref').map(({ value: pointer }) => String(pointer));
const inOrder = (names: readonly string[]): string[] => [...new Set(names)].toSorted();

describe('the description of sockets and topics', () => {
  it('is the one checked in (write it anew with vitest -u)', async () => {
    await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot('../../asyncapi.json');
  });

  it('refers to nothing that is not in it', () => {
    const pointers = inOrder(pointersIn(document));
    expect(pointers.filter((pointer) => !pointer.startsWith('#/') || at(pointer.slice(1)) === undefined)).toEqual([]);
  });

  it('reads the same as JSON Schema 2020-12 and as draft 7', () => {
    // Draft 7 ignores what stands beside a $ref, so zod wraps every one that is a property; none of ours has anything beside it.
    const unwrapped: unknown = JSON.parse(JSON.stringify(schemas('draft-7')).replaceAll(/\{"allOf":\[(\{"\$ref":"[^"]+"\})\]\}/g, '$1'));
    expect(unwrapped).toEqual(schemas());
    expect([...values(schemas())].filter(({ value }) => typeof value === 'object' && value !== null && '$ref' in value && Object.keys(value).length > 1)).toEqual([]);
  });

  it('has each message in a channel, and each message of a channel but for results in an operation', () => {
    const inChannels = pointersIn(document['channels']).filter((pointer) => pointer.startsWith('#/components/messages/'));
    expect(inOrder(inChannels.map((pointer) => pointer.split('/').at(-1) ?? ''))).toEqual(inOrder(Object.keys(Object(at('/components/messages')))));
    const operated = new Set(pointersIn(document['operations']));
    const live = Object.entries(Object(document['channels'])).filter(([name]) => !name.startsWith('dlq.'));
    const unused = live.flatMap(([name, channel]) => Object.keys(Object(Object(channel).messages ?? {})).map((message) => `#/channels/${name}/messages/${message}`));
    expect(unused.filter((pointer) => !operated.has(pointer))).toEqual([]);
  });
});

describe.each(MESSAGES.map((message) => [message.name, message] as const))('%s', (_, { schema, note, type }) => {
  it.each(note.examples.map((example) => [JSON.stringify(example), example] as const))('%s is one', (_text, example) => {
    expect(schema.parse(example)).toEqual(example);
    expect(example).toMatchObject({ type });
  });

  it('says what it is in a title and in sentences', () => {
    expect(note.title).toMatch(/^[A-Z].{3,60}[^.]$/);
    expect(note.summary).toMatch(/\.$/);
  });
});
