import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';

/** An answer of a stack, and what the validation proxy said of it. */
export interface Judged {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Whether the proxy let the request through, or answered it itself. */
  readonly passed: boolean;
  /** Status 0: it gave none. */
  readonly verdict: { readonly status: number; readonly violations: string | undefined; readonly text: string };
}

/** Prism's own, in `sl-violations`. */
const violationsSchema = z.array(z.looseObject({ location: z.array(z.union([z.string(), z.number()])), severity: z.string(), message: z.string() }));
type Violation = z.infer<typeof violationsSchema>[number];

/** Why an answer was not held to the document. */
type Unheld = 'of no operation' | 'not passed on' | 'no verdict';

const ROUTE_NOT_FOUND = 'Selected route not found';
const BODY_OF_NONE = 'No supported content types, but request included a non-empty body';
/** A body says nothing with these, and is let be (RFC 9110, 9.3). */
const WITHOUT_BODY = new Set(['GET', 'DELETE']);
const NAMES_IN_PATHS = [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi, /(?<=\/hooks\/incoming\/|\/unsubscribe\/)[^/]+/];

export class ValidationCount {
  /** Answers that were held to the document. */
  seen = 0;
  readonly unheld = new Map<Unheld, number>();
  /** By method, path, status and what: how often. */
  readonly violations = new Map<string, number>();
  readonly unjudged = new Map<string, number>();

  /** As of the notes of each test, only what has `X-Request-Id` is an answer of the Worker. */
  add(judged: Judged): void {
    if (judged.headers['x-request-id'] === undefined) return;
    const { method, path, status, passed, verdict } = judged;
    const place = `${method} ${NAMES_IN_PATHS.reduce((left, name) => left.replace(name, '…'), path.split('?', 1)[0] ?? '')} ${status}`;
    // Prism looks for JSON in the answer, and falls over.
    if (method === 'HEAD') return this.#unheld('of no operation');
    if (verdict.status === 0) return this.#unheld('no verdict', verdict.text);
    if (!passed) {
      this.#unheld('not passed on');
      // What the proxy takes for no request at all must not have been done.
      if (wasTaken(judged)) this.#violation(`${place}: request: ${verdict.text.slice(0, 200)}`);
      return;
    }
    if (verdict.status !== status) return this.#unheld('no verdict', `${place}: ${verdict.status} ${verdict.text.slice(0, 300)}`);
    const violations = violationsOf(verdict.violations);
    if (violations.some(({ message }) => message === ROUTE_NOT_FOUND)) return this.#unheld('of no operation');
    this.seen += 1;
    // Of an answer all counts: a status that is not described is a warning to Prism, unless it is 2xx.
    for (const violation of violations) if (violation.location[0] === 'response' || isAgainstTaken(violation, judged)) this.#violation(`${place}: ${textOf(violation)}`);
  }

  #unheld(why: Unheld, what?: string): void {
    this.unheld.set(why, (this.unheld.get(why) ?? 0) + 1);
    if (what !== undefined) this.unjudged.set(what, (this.unjudged.get(what) ?? 0) + 1);
  }

  #violation(what: string): void {
    this.violations.set(what, (this.violations.get(what) ?? 0) + 1);
  }
}

function violationsOf(header: string | undefined): Violation[] {
  if (header === undefined) return [];
  if (header.startsWith('Too many')) return [{ location: ['response'], severity: 'Error', message: header.slice(0, 500) }];
  return violationsSchema.parse(JSON.parse(header));
}

/** Tests ask wrongly on purpose: what is wrong about a request is a violation where it was not refused. `/slack` speaks as Slack does: 200, and why not. */
const wasTaken = ({ path, status }: Judged): boolean => status < 400 && !path.startsWith('/slack/');

const isAgainstTaken = ({ severity, message }: Violation, judged: Judged): boolean => severity === 'Error' && wasTaken(judged) && !(message === BODY_OF_NONE && WITHOUT_BODY.has(judged.method));

const textOf = ({ location, message }: Violation): string => `${location.join('.')} ${message}`;
