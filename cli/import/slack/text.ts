/** Names that messages refer to by id. */
export interface Names {
  user(id: string): string;
  channel(id: string): string;
}

const ENTITIES: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>' };
const unescape = (text: string): string => text.replaceAll(/&(?:amp|lt|gt);/g, (entity) => ENTITIES[entity] ?? entity);

/**
 * Slack's mrkdwn as text of Colink: what stands in angle brackets is a user, a channel, a broadcast, a date or a link, with or without a label. Everything else is as it was, its three
 * entities written out.
 */
export const translate = (mrkdwn: string, names: Names): string =>
  mrkdwn
    .split(/(<[^<>\n]*>)/)
    .map((part) => (part.startsWith('<') && part.endsWith('>') ? reference(part.slice(1, -1), names) : unescape(part)))
    .join('');

function reference(content: string, names: Names): string {
  const bar = content.indexOf('|');
  const target = bar === -1 ? content : content.slice(0, bar);
  const label = bar === -1 ? null : unescape(content.slice(bar + 1));
  switch (target[0]) {
    case '@':
      return `@${names.user(target.slice(1))}`;
    case '#':
      return `#${label || names.channel(target.slice(1))}`;
    case '!':
      return command(target.slice(1), label);
    default:
      return link(unescape(target), label);
  }
}

function command(name: string, label: string | null): string {
  if (name.startsWith('date^')) return label ?? '';
  if (name.startsWith('subteam^')) return label ?? '@group';
  return `@${name === 'everyone' ? 'channel' : name}`;
}

function link(url: string, label: string | null): string {
  const bare = url.replace(/^mailto:/, '');
  return label === null || label === '' || label === url || label === bare ? bare : `${label} (${url})`;
}
