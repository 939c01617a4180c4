import { readDevFile } from '../dev/dev-file.ts';
import { DATA_DIR } from './data-dir.ts';

/** The database that is named by `DATABASE_URL`, else that of the running `colink dev`. */
export function postgresUrl(): string {
  const url = process.env['DATABASE_URL'] ?? readDevFile(DATA_DIR)?.postgres_url;
  if (url === undefined) throw new Error('nothing runs here: start `npm run dev`, or set DATABASE_URL');
  return url;
}
