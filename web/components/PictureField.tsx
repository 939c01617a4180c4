import { useRef } from 'preact/hooks';
import { me } from '../state/account.ts';
import type { PictureChange } from '../state/picture.ts';
import { Avatar } from './Avatar.tsx';

const IMAGES = 'image/jpeg,image/png,image/webp,image/gif,image/avif';
const WORDS = { idle: '', uploading: 'Uploading…', scanning: 'Being scanned for viruses…', removing: 'Removing…' } as const;

/** One's own picture, and how to have another, or none. */
export function PictureField({ change }: { change: PictureChange }) {
  const picker = useRef<HTMLInputElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const user = me.value;
  const { shown, state, problem } = change;
  if (!user) return null;
  const isBusy = state.value !== 'idle';
  const remove = () => {
    // The one that was pressed goes, and would take the focus with it.
    button.current?.focus();
    void change.remove();
  };
  return (
    <div class="picture-field" role="group" aria-label="Picture" aria-busy={isBusy}>
      <Avatar name={user.display_name} colourKey={user.id} picture={shown.value} isLarge />
      <div class="picture-acts">
        <input
          ref={picker}
          type="file"
          accept={IMAGES}
          hidden
          onChange={({ currentTarget }) => {
            const [chosen] = currentTarget.files ?? [];
            if (chosen) void change.choose(chosen);
            currentTarget.value = '';
          }}
        />
        <button ref={button} type="button" class="button small" aria-disabled={isBusy} onClick={() => isBusy || picker.current?.click()}>
          {shown.value ? 'Change picture' : 'Choose a picture'}
        </button>
        {shown.value && (
          <button type="button" class="button small" aria-disabled={isBusy} onClick={remove}>
            Remove picture
          </button>
        )}
        <span role="status">{WORDS[state.value]}</span>
        {problem.value !== null && (
          <p class="form-problem" role="alert">
            {problem.value}
          </p>
        )}
      </div>
    </div>
  );
}
