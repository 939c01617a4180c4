import { recordOf } from './values.ts';

/**
 * What was posted to an incoming webhook: a JSON object, as the whole body or in the field `payload` of a form; null for anything else. By its first character: what
 * programs say of their content is too often what their library says by itself.
 */
export function readPayload(body: string): Readonly<Record<string, unknown>> | null {
  const text = body.trimStart();
  return parse(text.startsWith('{') ? text : (new URLSearchParams(text).get('payload') ?? ''));
}

function parse(json: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? recordOf(value) : null;
  } catch {
    return null;
  }
}
