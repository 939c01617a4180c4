import type { z } from 'zod';
import { fieldErrors, problemDocument, type Outcome, type Problem } from '../../protocol/errors.ts';
import type { InboxServerFrame, ServerFrame } from '../../protocol/frames.ts';
import { HEARTBEAT_SECONDS, MAX_FRAME_BYTES, SOCKET_WINDOW_BYTES, SOCKET_WINDOW_EVENTS } from '../../protocol/limits.ts';

/** What a client sent: a frame, or why it is none. `re`: the command the problem belongs to, as far as it can be told. */
export type ParsedFrame<F> =
  | { readonly frame: F }
  | { readonly problem: Problem; readonly re: string | null }
  | { readonly tooLarge: true };

/** The border of the socket: behind it, types are trusted. */
export function parseFrame<F>(schema: z.ZodType<F>, message: string | ArrayBuffer): ParsedFrame<F> {
  if (typeof message !== 'string') return { problem: { code: 'invalid', detail: 'Frames are text' }, re: null };
  if (isTooLarge(message)) return { tooLarge: true };
  const json = parseJson(message);
  if ('problem' in json) return { problem: json.problem, re: null };
  const parsed = schema.safeParse(json.ok);
  return parsed.success ? { frame: parsed.data } : { problem: invalid(parsed.error), re: commandId(json.ok) };
}

/** UTF-8 takes one to three bytes a UTF-16 unit, so most frames need not be encoded to be measured. */
function isTooLarge(message: string): boolean {
  if (message.length > MAX_FRAME_BYTES) return true;
  return message.length * 3 > MAX_FRAME_BYTES && new TextEncoder().encode(message).length > MAX_FRAME_BYTES;
}

function parseJson(message: string): Outcome<unknown> {
  try {
    return { ok: JSON.parse(message) };
  } catch {
    return { problem: { code: 'unreadable_body', detail: 'The frame is not JSON' } };
  }
}

const invalid = (error: z.ZodError): Problem => ({ code: 'invalid', errors: fieldErrors(error) });

function commandId(frame: unknown): string | null {
  if (typeof frame !== 'object' || frame === null || !('id' in frame)) return null;
  const { id } = frame;
  return typeof id === 'string' && id.length >= 1 && id.length <= 64 ? id : null;
}

/** `ok` of any result. */
export type ResultOk = NonNullable<Extract<ServerFrame | InboxServerFrame, { type: 'result' }>['ok']>;

const encode = (frame: ServerFrame | InboxServerFrame): string => JSON.stringify(frame);

interface Place {
  readonly session: string;
  readonly epoch: number;
  readonly seq: number;
  readonly head: number;
  readonly recovered: boolean;
}

/** `place` may bear more than the wire does. */
export function welcomeFrame({ session, epoch, seq, head, recovered }: Place, next_ticket?: string): string {
  const limits = { frame_bytes: MAX_FRAME_BYTES, window_events: SOCKET_WINDOW_EVENTS, window_bytes: SOCKET_WINDOW_BYTES };
  return encode({ type: 'welcome', session, epoch, seq, head, recovered, heartbeat_seconds: HEARTBEAT_SECONDS, next_ticket, limits });
}

export function resultFrame(re: string, outcome: Outcome<ResultOk>): string {
  return JSON.stringify('ok' in outcome ? { type: 'result', re, ok: outcome.ok } : { type: 'result', re, problem: problemDocument(outcome.problem) });
}

export const authExpiringFrame = (expires_at: string): string => encode({ type: 'auth.expiring', expires_at });

export const reconnectFrame = (within_ms: number): string => encode({ type: 'reconnect', within_ms });

export const problemFrame = (problem: Problem): string => encode({ type: 'problem', problem: problemDocument(problem) });
