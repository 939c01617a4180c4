import { fileTypeFromBuffer } from 'file-type';

/** So many bytes tell most types; it is what `file-type` asks for. */
export const SNIFF_BYTES = 4_100;

/** The type that the first bytes of a content have; null where they tell none, as those of a text. */
export async function sniffType(head: Uint8Array): Promise<string | null> {
  const found = await fileTypeFromBuffer(head);
  return found?.mime.toLowerCase() ?? null;
}

const UNKNOWN = 'application/octet-stream';

/** Other names of the same type, as browsers and programs give them. */
const ALIASES: Readonly<Record<string, string>> = {
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'image/apng': 'image/png',
  'image/x-png': 'image/png',
  'image/vnd.microsoft.icon': 'image/x-icon',
  'application/x-zip-compressed': 'application/zip',
  'application/x-gzip': 'application/gzip',
  'application/x-pdf': 'application/pdf',
};

/** What a container may hold by its first bytes alone: documents are zip files, and so on. */
const HOLDS: Readonly<Record<string, RegExp>> = {
  'application/zip': /^application\/(vnd\.(openxmlformats-officedocument|oasis\.opendocument|ms-|android\.package|google-earth)|epub\+zip|java-archive|x-zip)/,
  'application/x-cfb': /^application\/(msword|vnd\.ms-|vnd\.visio|x-msi)/,
  'application/xml': /^(text\/|image\/svg\+xml$|application\/[\w.+-]*xml)/,
  'application/gzip': /^application\/([\w.-]+\+gzip|x-(compressed-)?tar|x-tgz)$/,
};

/** Types whose content always begins in their own way: who claims one and has no such bytes is lying. */
const MARKED = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/bmp', 'image/avif', 'image/heic', 'application/pdf', 'application/zip', 'application/gzip']);

const isMedia = (type: string): boolean => /^(audio|video)\//.test(type);

/** Whether content that has the type `sniffed` may be said to have the type `claimed`. */
export function isHonest(claimed: string, sniffed: string | null): boolean {
  const claim = ALIASES[claimed] ?? claimed;
  if (claim === UNKNOWN) return true;
  if (sniffed === null) return !MARKED.has(claim);
  const type = ALIASES[sniffed] ?? sniffed;
  // A film may be sound alone, and a container's name is often that of its kin.
  return claim === type || (isMedia(claim) && isMedia(type)) || (HOLDS[type]?.test(claim) ?? false);
}

/** The type a file goes by: as claimed, or as found where nothing was claimed. */
export const typeOf = (claimed: string, sniffed: string | null): string => (claimed === UNKNOWN ? (sniffed ?? UNKNOWN) : (ALIASES[claimed] ?? claimed));
