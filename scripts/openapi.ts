import { writeFileSync } from 'node:fs';
import { createApp } from '../workers/app.ts';
import { describeApi } from '../workers/openapi.ts';
import { createServices } from '../workers/services.ts';

/** Writes `openapi.json`; `workers/openapi.test.ts` fails where it is not what the routes say. */
writeFileSync(new URL('../openapi.json', import.meta.url), `${JSON.stringify(describeApi(createApp(createServices())), null, 2)}\n`);
