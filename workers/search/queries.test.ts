import { expect, it } from 'vitest';
import { fileSearchPageSchema, peopleSearchPageSchema, searchPageSchema } from '../../protocol/api.ts';
import { parseQuery } from '../../protocol/search-query.ts';
import { FILES_EXAMPLE, MESSAGES_EXAMPLE, PEOPLE_EXAMPLE } from './examples.ts';
import { namesOf, ofFiles } from './queries.ts';

it('people are looked for by at most eight words, without the @', () => {
  expect(namesOf(' @ada  love\u3000lace @ ')).toEqual(['ada', 'love', 'lace']);
  expect(namesOf('a '.repeat(20))).toHaveLength(8);
});

it('files have no reactions, and whoever asks for them is told so', () => {
  const { query, hints } = ofFiles(parseQuery('plan has:reaction is:edited nope:x'));
  expect([query.has, query.is, hints.map(({ code }) => code)]).toEqual([[], [], ['unknown_operator', 'of_messages_only']]);
  expect(ofFiles(parseQuery('plan from:ada')).hints).toEqual([]);
  expect(ofFiles(parseQuery('plan -is:dm'))).toMatchObject({ query: { is: [{ value: 'dm', not: true }] }, hints: [] });
});

it('the answers that the description shows are of their schemas', () => {
  expect([searchPageSchema.parse(MESSAGES_EXAMPLE), fileSearchPageSchema.parse(FILES_EXAMPLE), peopleSearchPageSchema.parse(PEOPLE_EXAMPLE)]).toHaveLength(3);
});
