import { afterAll } from 'vitest';
import { noted, watch } from './contract-notes.ts';
import { fetchByFront } from './detour.ts';

/** Every answer that an end-to-end test gets by `fetch` or `rawRequest` is held to `openapi.json`: one that is not of it fails the file. */
globalThis.fetch = watch(fetchByFront(globalThis.fetch));

afterAll(async () => {
  const { answers, faults } = await noted();
  if (answers > 0) console.log(`${answers} answers were held to openapi.json`);
  if (faults.length > 0) throw new Error(`answers that are not of openapi.json:\n${faults.join('\n')}`);
});
