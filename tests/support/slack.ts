import { LogLevel, type WebAPICallResult, WebClient, type WebClientOptions } from '@slack/web-api';
import { z } from 'zod';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, setLevel: () => {}, getLevel: () => LogLevel.ERROR, setName: () => {} };

/** The official client, at Colink's address. */
export const slackClient = (baseUrl: string, token: string | undefined, more: WebClientOptions = {}): WebClient =>
  new WebClient(token, { slackApiUrl: `${baseUrl}/slack/api/`, logger: quiet, ...more });

const refused = z.looseObject({ data: z.looseObject({ error: z.string() }) });

/** The word that a call is refused with. */
export async function refusal(call: Promise<WebAPICallResult>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    return refused.safeParse(error).data?.data.error ?? String(error);
  }
}

/** What all pages of a method hold under `key`. */
export async function pages<T>(client: WebClient, method: string, key: string, item: z.ZodType<T>, args: Record<string, unknown>): Promise<T[]> {
  const found: T[] = [];
  for await (const page of client.paginate(method, args)) found.push(...z.array(item).parse(z.looseObject({}).parse(page)[key]));
  return found;
}
