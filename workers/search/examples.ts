import type { z } from 'zod';
import type { fileSearchPageSchema, peopleSearchPageSchema, searchPageSchema } from '../../protocol/api.ts';

const ADA = { id: '0190a1b2-0000-7000-8000-00000000000a', handle: 'ada', display_name: 'Ada Lovelace', role: 'member', avatar: null } as const;
const CHANNEL = '0190a1b2-0000-7000-8000-00000000000c';
const LAG = { events: 0, seconds: 0 };

/** Answers as the description of the API shows them. */
export const MESSAGES_EXAMPLE: z.input<typeof searchPageSchema> = {
  data: [
    {
      message: {
        id: '0190a1b2-0000-7000-8000-000000000001', channel_id: CHANNEL, pos: 7, thread_id: null, tpos: null, author_id: ADA.id, text: 'the engine weaves patterns',
        origin: null, created_at: '2026-11-26T03:00:00.000Z',
      },
      highlights: [[4, 10]],
    },
  ],
  next_cursor: null,
  users: [ADA],
  index_lag: { events: 3, seconds: 1 },
  hints: [{ code: 'bad_value', detail: 'has: is one of link, file, reaction', range: [16, 28] }],
};

export const FILES_EXAMPLE: z.input<typeof fileSearchPageSchema> = {
  data: [
    {
      file: {
        id: '0190a1b2-0000-7000-8000-0000000000f1', channel_id: CHANNEL, uploader_id: ADA.id, name: 'engine.png', media_type: 'image/png', size: 20_480,
        sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', status: 'clean', thumbnails: [{ size: 320, width: 320, height: 200 }],
        created_at: '2026-11-26T03:00:00.000Z',
      },
      highlights: [[0, 6]],
    },
  ],
  next_cursor: null,
  users: [ADA],
  index_lag: LAG,
  hints: [],
};

export const PEOPLE_EXAMPLE: z.input<typeof peopleSearchPageSchema> = {
  data: [{ user: ADA, highlights: { handle: [], display_name: [[4, 8]] } }],
  next_cursor: null,
  index_lag: LAG,
};
