import { jsonFile, type ZipEntry } from './zip.ts';

const USERS = [
  { id: 'U01', name: 'ada', real_name: 'Ada Lovelace', profile: { display_name: 'ada', real_name: 'Ada Lovelace' } },
  { id: 'U02', name: 'bob', real_name: 'Bob', profile: { display_name: '', real_name: 'Bob Babbage' } },
];
const message = (ts: string, more: object) => ({ type: 'message', user: 'U01', ts, text: '', ...more });

/** A small export of the shape that Slack gives, with made-up people in it: three messages and a thread in general, and what is private. */
export const SLACK_EXPORT: readonly ZipEntry[] = [
  jsonFile('users.json', USERS),
  jsonFile('channels.json', [{ id: 'C01', name: 'general', topic: { value: 'Everything' }, members: ['U01', 'U02'] }, { id: 'C02', name: 'empty' }]),
  jsonFile('groups.json', [{ id: 'G01', name: 'engine-room', topic: { value: '' } }]),
  jsonFile('dms.json', [{ id: 'D01', members: ['U01', 'U02'] }]),
  jsonFile('mpims.json', [{ id: 'G02', name: 'mpdm-ada--bob-1', members: ['U01', 'U02'] }]),
  { name: 'general/', content: '' },
  jsonFile('general/2026-01-02.json', [
    message('1767312000.000300', { thread_ts: '1767225600.000200', user: 'U02', text: 'a reply of the next day' }),
    message('1767312001.000000', { subtype: 'bot_message', user: undefined, username: 'ci', text: '', attachments: [{ title: 'Build', title_link: 'https://ci.example/1', text: 'failed' }] }),
  ]),
  jsonFile('general/2026-01-01.json', [
    message('1767225599.000100', { subtype: 'channel_join', text: '<@U01> has joined the channel' }),
    message('1767225601.000100', { thread_ts: '1767225600.000200', user: 'U02', text: 'a reply' }),
    message('1767225600.000200', {
      thread_ts: '1767225600.000200', reply_count: 2, text: 'Hello <@U02> in <#C01|general>, <!here>: 1 &lt; 2 &amp; <https://a.example/?b=1|this>',
      edited: { user: 'U01', ts: '1767225602.0' }, reactions: [{ name: 'tada', users: ['U02'], count: 1 }], files: [{ name: 'engine.png', permalink: 'https://files.example/F1' }],
    }),
  ]),
  jsonFile('engine-room/2026-01-01.json', [message('1767225600.000400', { text: 'secret plans' })]),
  jsonFile('D01/2026-01-01.json', [message('1767225600.000500', { text: 'between us' })]),
  jsonFile('mpdm-ada--bob-1/2026-01-01.json', [message('1767225600.000600', { text: 'among some' })]),
];

/** What becomes of `general`. */
export const GENERAL_TEXTS = [
  'Hello @Bob Babbage in #general, @here: 1 < 2 & this (https://a.example/?b=1) (edited)\nengine.png: https://files.example/F1\nReactions: :tada: Bob Babbage',
  'a reply',
  'a reply of the next day',
  'Build (https://ci.example/1)\nfailed',
];
