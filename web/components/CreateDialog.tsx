import { useSignal } from '@preact/signals';
import { ProblemError } from '../../client/errors.ts';
import type { NewChannel } from '../../client/http.ts';
import { MAX_CHANNEL_NAME, MAX_TOPIC } from '../../protocol/limits.ts';
import { refresh } from '../state/account.ts';
import { dialog, openChannel } from '../state/navigation.ts';
import { api } from '../state/platform.ts';
import { reasonOf } from '../state/reason.ts';
import { FormEnd } from './FormEnd.tsx';
import { Modal } from './Modal.tsx';

export function CreateDialog() {
  const name = useSignal('');
  const topic = useSignal('');
  const kind = useSignal<NewChannel['kind']>('public');
  const problem = useSignal<string | null>(null);
  const isBusy = useSignal(false);
  const create = async (event: Event) => {
    event.preventDefault();
    isBusy.value = true;
    try {
      const channel = await api.createChannel({ name: name.value, kind: kind.value, topic: topic.value.trim() });
      await refresh();
      dialog.value = null;
      openChannel(channel.id);
    } catch (error) {
      problem.value = inWords(error);
    }
    isBusy.value = false;
  };
  return (
    <Modal title="Create a channel" onClose={() => (dialog.value = null)}>
      <form class="form" onSubmit={(event) => void create(event)}>
        <label>
          Name
          <input
            class="field"
            required
            autofocus
            maxLength={MAX_CHANNEL_NAME}
            value={name.value}
            placeholder="plans"
            autocomplete="off"
            onInput={(event) => (name.value = event.currentTarget.value.replaceAll(/\s+/gu, '-'))}
          />
        </label>
        <label>
          Topic <span class="optional">(optional)</span>
          <input class="field" maxLength={MAX_TOPIC} value={topic.value} autocomplete="off" onInput={(event) => (topic.value = event.currentTarget.value)} />
        </label>
        <label class="check">
          <input type="checkbox" checked={kind.value === 'private'} onChange={(event) => (kind.value = event.currentTarget.checked ? 'private' : 'public')} />
          Private: only those who are added can find it
        </label>
        <FormEnd problem={problem} isDisabled={isBusy.value || name.value === ''} action="Create" onCancel={() => (dialog.value = null)} />
      </form>
    </Modal>
  );
}

function inWords(error: unknown): string {
  if (!(error instanceof ProblemError)) return reasonOf(error);
  if (error.code === 'conflict') return 'There is a channel of this name already.';
  return error.problem.errors?.map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`).join('; ') ?? error.message;
}
