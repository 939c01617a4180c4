import { sizeInWords } from '../state/files.ts';
import type { Upload, Uploads } from '../state/uploads.ts';
import { IconButton } from './IconButton.tsx';

/** What goes with the message that is being written. */
export function UploadList({ uploads }: { uploads: Uploads }) {
  if (uploads.all.value.length === 0) return null;
  return (
    <ul class="uploads" aria-label="Files of this message">
      {uploads.all.value.map((upload) => (
        <li key={upload.key} class={`upload ${upload.state.name}`}>
          <span class="upload-name" dir="auto">
            {upload.name}
          </span>
          <UploadState upload={upload} />
          <IconButton icon="close" label={`Remove ${upload.name}`} onClick={() => uploads.remove(upload.key)} />
        </li>
      ))}
    </ul>
  );
}

function UploadState({ upload: { name, state } }: { upload: Upload }) {
  if (state.name === 'running') return <progress value={state.sent} max={1} aria-label={`Uploading ${name}`} />;
  return (
    <span class="upload-state" role={state.name === 'failed' ? 'alert' : undefined}>
      {state.name === 'failed' ? `Not uploaded: ${state.why}` : sizeInWords(state.file.size)}
    </span>
  );
}
