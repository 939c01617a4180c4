import { crc32, deflateRawSync } from 'node:zlib';

/** A file of a zip, with what it claims of itself where that is not so. */
export interface ZipEntry {
  readonly name: string;
  readonly content: string | Buffer;
  readonly claimedSize?: number;
  readonly claimedCrc?: number;
  /** Bits of the general purpose flag; 1: encrypted. */
  readonly flags?: number;
  readonly method?: number;
}

/** A zip of these files, deflated, in this order, whatever their names. */
export function zipOf(entries: readonly ZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const { local, central } = headersOf(entry, offset);
    locals.push(local);
    centrals.push(central);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

function headersOf({ name, content, claimedSize, claimedCrc, flags = 0, method = 8 }: ZipEntry, offset: number): { local: Buffer; central: Buffer } {
  const bytes = Buffer.from(content);
  const packed = method === 8 ? deflateRawSync(bytes) : bytes;
  const fileName = Buffer.from(name);
  const shared = Buffer.alloc(26);
  shared.writeUInt16LE(20, 0);
  shared.writeUInt16LE(flags | 0x800, 2);
  shared.writeUInt16LE(method, 4);
  shared.writeUInt32LE(claimedCrc ?? crc32(bytes), 10);
  shared.writeUInt32LE(packed.length, 14);
  shared.writeUInt32LE(claimedSize ?? bytes.length, 18);
  shared.writeUInt16LE(fileName.length, 22);
  const local = Buffer.concat([Buffer.from('504b0304', 'hex'), shared, fileName, packed]);
  const tail = Buffer.alloc(14);
  tail.writeUInt32LE(offset, 10);
  return { local, central: Buffer.concat([Buffer.from('504b01021403', 'hex'), shared, tail, fileName]) };
}

export const jsonFile = (name: string, value: unknown): ZipEntry => ({ name, content: JSON.stringify(value) });
