import { confirmation } from '../state/confirmation.ts';
import { Modal } from './Modal.tsx';

export function ConfirmDialog() {
  const asked = confirmation.value;
  if (!asked) return null;
  const answer = (yes: boolean) => {
    confirmation.value = null;
    if (yes) asked.confirmed();
  };
  return (
    <Modal title={asked.title} onClose={() => answer(false)}>
      <p>{asked.text}</p>
      <div class="button-row end">
        <button class="button" onClick={() => answer(false)}>
          Cancel
        </button>
        <button class="button danger" onClick={() => answer(true)}>
          {asked.action}
        </button>
      </div>
    </Modal>
  );
}
