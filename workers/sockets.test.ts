import { expect, it } from 'vitest';
import { readOffer } from './sockets.ts';

const hex = '019abcde00007000800000000000000a';

it.each([
  [null, { speaksColink: false, ticket: null }],
  ['colink.v1', { speaksColink: true, ticket: null }],
  ['colink.v2, chat', { speaksColink: false, ticket: null }],
  [`colink.v1, colink.ticket.${hex}xyz`, { speaksColink: true, ticket: { text: `${hex}xyz`, userId: '019abcde-0000-7000-8000-00000000000a' } }],
  [`colink.ticket.${hex}`, { speaksColink: false, ticket: { text: hex, userId: '' } }],
  ['colink.v1,colink.ticket.', { speaksColink: true, ticket: { text: '', userId: '' } }],
])('reads %s (P5)', (header, offer) => {
  expect(readOffer(header)).toEqual(offer);
});
