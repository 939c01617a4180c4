import { escape } from './escape.ts';
import { listOf, recordOf, textOf } from './values.ts';

/** Slack's own bounds of a message, and how deep its parts may lie in one another. */
const MAX_BLOCKS = 50;
const MAX_ATTACHMENTS = 100;
const MAX_PARTS = 500;
const MAX_DEPTH = 6;

const lines = (parts: readonly string[]): string => parts.filter((part) => part !== '').join('\n');

/** What blocks say, as mrkdwn; empty where they say nothing. Those that only do something, such as buttons, are passed over. */
export const textOfBlocks = (blocks: unknown): string => lines(listOf(blocks).slice(0, MAX_BLOCKS).map(textOfBlock));

function textOfBlock(value: unknown): string {
  const block = recordOf(value);
  switch (block['type']) {
    case 'section':
      return lines([textObject(block['text']), ...some(block['fields']).map(textObject)]);
    case 'header':
      return textObject(block['text']);
    case 'context':
      return some(block['elements']).map((element) => textObject(element) || imageOf(recordOf(element))).filter((part) => part !== '').join(' ');
    case 'rich_text':
      return lines(some(block['elements']).map((element) => richText(element, 0)));
    case 'markdown':
      return textOf(block['text']);
    case 'image':
      return lines([textObject(block['title']), imageOf(block)]);
    case 'video':
      return linkOf(textOf(block['title_url']) || textOf(block['video_url']), textObject(block['title']));
    default:
      return '';
  }
}

const some = (value: unknown): readonly unknown[] => listOf(value).slice(0, MAX_PARTS);

/** A composition object: what is `plain_text` means itself. */
function textObject(value: unknown): string {
  const { type, text } = recordOf(value);
  return type === 'mrkdwn' ? textOf(text) : type === 'plain_text' ? escape(textOf(text)) : '';
}

const imageOf = (image: Readonly<Record<string, unknown>>): string => (image['type'] === 'image' ? linkOf(textOf(image['image_url']), escape(textOf(image['alt_text']))) : '');

/** A label has no bracket of its own: within one it would end it. */
function linkOf(url: string, label: string): string {
  if (url === '') return label;
  return label === '' ? `<${escape(url)}>` : `<${escape(url)}|${label.replaceAll(/[<>\n]/g, ' ')}>`;
}

function richText(value: unknown, depth: number): string {
  const element = recordOf(value);
  if (depth > MAX_DEPTH) return '';
  const parts = some(element['elements']).map((part) => richText(part, depth + 1));
  switch (element['type']) {
    case 'rich_text_section':
      return parts.join('');
    case 'rich_text_list':
      return lines(parts.map((part, index) => `${element['style'] === 'ordered' ? `${index + 1}.` : '•'} ${part}`));
    case 'rich_text_quote':
      return parts.join('').split('\n').map((line) => `> ${line}`).join('\n');
    case 'rich_text_preformatted':
      return `\`\`\`\n${parts.join('')}\n\`\`\``;
    default:
      return richLeaf(element);
  }
}

function richLeaf(leaf: Readonly<Record<string, unknown>>): string {
  const of = (key: string): string => escape(textOf(leaf[key]));
  switch (leaf['type']) {
    case 'text':
      return of('text');
    case 'link':
      return linkOf(textOf(leaf['url']), of('text'));
    case 'user':
      return `<@${of('user_id')}>`;
    case 'channel':
      return `<#${of('channel_id')}>`;
    case 'broadcast':
      return `<!${of('range')}>`;
    case 'emoji':
      return `:${of('name')}:`;
    case 'date':
      return of('fallback');
    default:
      return '';
  }
}

/** What attachments say, as mrkdwn: their parts, or else their `fallback`. */
export const textOfAttachments = (attachments: unknown): string => lines(listOf(attachments).slice(0, MAX_ATTACHMENTS).map(textOfAttachment));

function textOfAttachment(value: unknown): string {
  const attachment = recordOf(value);
  const of = (key: string): string => textOf(attachment[key]);
  const fields = some(attachment['fields']).map((field) => {
    const { title, value: said } = recordOf(field);
    return [textOf(title), textOf(said)].filter((part) => part !== '').join(': ');
  });
  const said = lines([of('pretext'), of('author_name'), linkOf(of('title_link'), of('title')), of('text'), ...fields, textOfBlocks(attachment['blocks'])]);
  return said || of('fallback');
}

/** All that a message says: its text, its blocks where they say more, its attachments. */
export function textOfMessage({ text, blocks, attachments }: Readonly<Record<string, unknown>>): string {
  return lines([fuller(textOf(text), textOfBlocks(blocks)), textOfAttachments(attachments)]);
}

/** The text beside blocks is mostly a summary of them, or the same. */
function fuller(text: string, blocks: string): string {
  if (blocks.includes(text.trim())) return blocks || text;
  return text.includes(blocks) ? text : lines([text, blocks]);
}
