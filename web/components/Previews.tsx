import type { Message } from '../../protocol/api.ts';
import type { LinkPreview } from '../../protocol/previews.ts';
import { me } from '../state/account.ts';
import type { ChannelStore } from '../state/channel-store.ts';
import { attempt } from '../state/notices.ts';
import { IconButton } from './IconButton.tsx';

/** What the pages that a message links to say of themselves: words alone, and always with the host that was asked. Nothing is loaded from there. */
export function Previews({ store, message }: { store: ChannelStore; message: Message }) {
  if (message.previews === undefined) return null;
  const isMine = message.author_id === me.value?.id;
  return (
    <div class="previews">
      <ul>
        {message.previews.map((preview) => (
          <li key={preview.url}>
            <Preview {...preview} />
          </li>
        ))}
      </ul>
      {isMine && <IconButton icon="close" label="Remove the previews" onClick={() => void attempt('remove the previews', () => store.session.removePreviews(message.id))} />}
    </div>
  );
}

function Preview({ url, title, description, site_name: site }: LinkPreview) {
  return (
    <blockquote class="preview" dir="auto">
      <cite class="preview-site">
        {site !== null && <bdi>{site} · </bdi>}
        <bdi>{new URL(url).hostname}</bdi>
      </cite>
      <a class="preview-title" href={url} target="_blank" rel="noopener noreferrer nofollow">
        {title}
      </a>
      {description !== null && <p class="preview-description">{description}</p>}
    </blockquote>
  );
}
