import type { Message } from '../../protocol/api.ts';
import type { FileState } from '../../protocol/files.ts';
import { filesOf, sizeInWords } from '../state/files.ts';
import { api } from '../state/platform.ts';
import { Icon } from './Icon.tsx';

const THUMBNAIL_PX = 320;

/** The files that a message shows: what they are, how far the scan is, and once they are clean a picture and a link. */
export function Attachments({ message }: { message: Message }) {
  const shown = filesOf(message);
  if (shown.length === 0) return null;
  return (
    <ul class="attachments">
      {shown.map(({ id, file }) => (
        <li key={id}>{typeof file === 'string' ? <p class="attachment gone">{file === 'gone' ? 'This file was deleted.' : 'A file'}</p> : <Attachment file={file} />}</li>
      ))}
    </ul>
  );
}

function Attachment({ file }: { file: FileState }) {
  const isClean = file.status === 'clean';
  const about = (
    <>
      {isClean && <Thumbnail file={file} />}
      <span class="attachment-line">
        <Icon name="file" />
        <span class="attachment-name" dir="auto">
          {file.name}
        </span>
        <span class="attachment-state">{STATES[file.status](file)}</span>
      </span>
    </>
  );
  if (!isClean) return <div class={`attachment ${file.status}`}>{about}</div>;
  return (
    <a class="attachment" href={api.contentUrl(file.id)} download={file.name} title={`Download ${file.name}`}>
      {about}
    </a>
  );
}

const STATES: Readonly<Record<FileState['status'], (file: FileState) => string>> = {
  pending_scan: ({ size }) => `${sizeInWords(size)}, being scanned`,
  clean: ({ size }) => sizeInWords(size),
  infected: () => 'infected',
};

/** The smallest that fills its place, else the largest there is. */
function Thumbnail({ file }: { file: FileState }) {
  const bySize = file.thumbnails.toSorted((a, b) => a.size - b.size);
  const chosen = bySize.find(({ size }) => size >= THUMBNAIL_PX) ?? bySize.at(-1);
  if (!chosen) return null;
  const scale = Math.min(1, THUMBNAIL_PX / Math.max(chosen.width, chosen.height));
  return <img src={api.thumbnailUrl(file.id, chosen.size)} width={Math.round(chosen.width * scale)} height={Math.round(chosen.height * scale)} alt="" loading="lazy" />;
}
