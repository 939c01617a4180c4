import names from 'emojibase-data/en/shortcodes/iamcal.json';

/** The names that Slack has for emoji, by code points in hexadecimal; those of one emoji in the order in which Slack prefers them. */
type Names = ReadonlyMap<string, readonly string[]>;

/** Skin tones: Slack counts them from 2, `skin-tone-2` is U+1F3FB. */
const TONE = 0x1f3f9;
const VARIATION = /\uFE0F/g;
/** What is a text character unless U+FE0F follows (Unicode TR51, section 2.1); a skin tone says as much. */
const TEXT_BY_DEFAULT = /(?!\p{Emoji_Presentation})\p{Emoji}(?!\uFE0F|\p{Emoji_Modifier})/gu;

/** The tables are made at the first use: not every isolate needs them. */
let tables: { readonly emoji: ReadonlyMap<string, string>; readonly names: Names } | undefined;

function load(): NonNullable<typeof tables> {
  if (tables) return tables;
  const emoji = new Map<string, string>();
  const byEmoji = new Map<string, readonly string[]>();
  for (const [hex, given] of Object.entries(names)) {
    const all = typeof given === 'string' ? [given] : given;
    const text = qualified(String.fromCodePoint(...hex.split('-').map((point) => Number.parseInt(point, 16))));
    byEmoji.set(bare(text), all);
    for (const name of all) if (!emoji.has(name)) emoji.set(name, text);
  }
  tables = { emoji, names: byEmoji };
  return tables;
}

const qualified = (text: string): string => text.replaceAll(TEXT_BY_DEFAULT, '$&\uFE0F');
const bare = (text: string): string => text.replaceAll(VARIATION, '');

/** The emoji of a name such as `tada` or `wave::skin-tone-3`; null: Slack has none of it, as of those that a workspace has made itself. */
export function emojiOf(name: string): string | null {
  const [, plain = name, tone] = /^(.+)::skin-tone-([2-6])$/.exec(name) ?? [];
  const emoji = load().emoji.get(plain);
  if (emoji === undefined) return null;
  if (tone === undefined) return emoji;
  const [first = '', ...rest] = emoji;
  return qualified([first, String.fromCodePoint(TONE + Number(tone)), ...(rest[0] === '\uFE0F' ? rest.slice(1) : rest)].join(''));
}

/** The name of an emoji; what is no emoji of Slack's is a name already. */
export function nameOf(emoji: string): string {
  const { names: known } = load();
  const characters = [...bare(emoji)];
  const tone = toneOf(characters[1] ?? '');
  const name = known.get((tone === null ? characters : characters.toSpliced(1, 1)).join(''))?.[0];
  return name === undefined ? emoji : tone === null ? name : `${name}::skin-tone-${tone}`;
}

function toneOf(character: string): number | null {
  const tone = (character.codePointAt(0) ?? 0) - TONE;
  return tone >= 2 && tone <= 6 ? tone : null;
}

const SHORTCODE = /(?<![\p{L}\p{N}]):([a-z0-9_+'-]{1,60}(?:::skin-tone-[2-6])?):/gu;

/** A text in which emoji stand for their names, but where `isCode` says of a place in it that it is code. */
export const withEmoji = (text: string, isCode: (at: number) => boolean): string => text.replaceAll(SHORTCODE, (written, name: string, at: number) => (isCode(at) ? null : emojiOf(name)) ?? written);
