import { describe, expect, it } from 'vitest';
import openapi from '../../openapi.json' with { type: 'json' };
import { ApiDocument } from './api-document.ts';
import { type Exchange, faultsOf } from './contract.ts';

const document = new ApiDocument(openapi);
const USER = { id: '0190a1b2-0000-7000-8000-00000000000a', handle: 'ada', display_name: 'Ada', role: 'member', avatar: null, title: '', pronouns: '', time_zone: null, is_bot: false, deactivated: false, version: 1 };

function exchange(changes: Partial<Omit<Exchange, 'headers'>> = {}, headers: Record<string, string | undefined> = {}): Exchange {
  const all: Record<string, string | undefined> = { 'content-type': 'application/json', 'x-request-id': 'a', ...headers };
  return { method: 'GET', path: `/v1/users/${USER.id}`, status: 200, text: JSON.stringify(USER), headers: (name) => all[name], ...changes };
}

describe('an answer is held to the document', () => {
  it('and one that is of it has no faults', () => {
    expect(faultsOf(document, exchange())).toEqual([]);
    expect(faultsOf(document, exchange({ method: 'HEAD', text: '' }))).toEqual([]);
    expect(faultsOf(document, exchange({ method: 'POST', status: 405, text: '' }, { allow: 'GET, HEAD' }))).toEqual([]);
    expect(faultsOf(document, exchange({ path: '/index.html', status: 418 }))).toEqual([]);
  });

  it.each([
    ['an unknown status', exchange({ status: 418 }), /not described/],
    ['another media type', exchange({}, { 'content-type': 'text/html' }), /text\/html/],
    ['a field too many', exchange({ text: JSON.stringify({ ...USER, secret: 'x' }) }), /NOT have/],
    ['a field of another type', exchange({ text: JSON.stringify({ ...USER, handle: null }) }), /handle/],
    ['a missing header', exchange({}, { 'x-request-id': undefined }), /X-Request-Id/],
    ['a header that is not told of', exchange({}, { location: '/v1/users/x' }), /Location is not described/],
    ['a method that is not there', exchange({ method: 'POST' }), /not described/],
  ])('%s is a fault', (_, wrong, fault) => {
    expect(faultsOf(document, wrong).join()).toMatch(fault);
  });
});
