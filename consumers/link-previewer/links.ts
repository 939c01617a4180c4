import { createHash } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { stretches } from '../../protocol/code.ts';
import { MAX_PREVIEW_URL, MAX_PREVIEWS } from '../../protocol/limits.ts';
import { findLinks } from '../../protocol/links.ts';

export interface LinkRules {
  /** Links to loopback, to addresses instead of names, and to any port are fine: development alone. */
  readonly loopback: boolean;
  /** Colink's own host, with its port: its pages say nothing to who has no session. Null: not known. */
  readonly ownHost: string | null;
}

/** Addresses between `<` and `>` are not looked up: so do authors ask for none, and programs that know other chats. */
const SUPPRESSED = /<https?:\/\/[^\s<>]+>/giu;

/** The pages that a message links to and that may be asked for: the first few, each once, not in code nor in angle brackets. Without fragments, which no server sees. */
export function linkedPages(text: string, rules: LinkRules): string[] {
  const found = new Set<string>();
  for (const { kind, text: part } of stretches(text)) {
    if (kind !== 'prose') continue;
    for (const { address } of findLinks(part.replace(SUPPRESSED, ' '))) {
      const url = pageOf(address);
      if (url !== null && mayAsk(url, rules)) found.add(url.href);
      if (found.size === MAX_PREVIEWS) return [...found];
    }
  }
  return [...found];
}

function pageOf(address: string): URL | null {
  const url = URL.parse(address);
  if (url !== null) url.hash = '';
  return url;
}

/**
 * Whether a URL is one that everybody may ask for: by http or https at their own ports, of a host that is named by a whole name, with no credentials. Where the name leads is checked
 * by who asks.
 */
export function mayAsk(url: URL, { loopback, ownHost }: LinkRules): boolean {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return false;
  if (url.username !== '' || url.password !== '' || url.host === ownHost || url.href.length > MAX_PREVIEW_URL) return false;
  return loopback || (url.port === '' && isWholeName(url.hostname));
}

const isWholeName = (hostname: string): boolean => hostname.replace(/\.$/, '').includes('.') && !isAddress(hostname);
const isAddress = (hostname: string): boolean => ipaddr.isValid(hostname.replaceAll(/^\[|\]$/g, ''));

/** Names under which others have names: a short one within a country's. A guess that is wrong only makes strangers wait for one another, or count as two. */
const SHARED = /(?:^|\.)[^.]{1,3}\.[^.]{2}$/;

/** Whose a host is, roughly: the name that somebody registered, so that one owner of many names is asked no more than one of one. */
export function siteOf({ hostname }: URL): string {
  if (isAddress(hostname)) return hostname;
  const labels = hostname.replace(/\.$/, '').split('.');
  return labels.slice(SHARED.test(labels.join('.')) ? -3 : -2).join('.');
}

/** What a page is known by. */
export const hashOf = (url: string): string => createHash('sha256').update(url).digest('hex');
