import { useSignal } from '@preact/signals';
import type { Message } from '../../protocol/api.ts';
import { MAX_MODERATION_COMMENT } from '../../protocol/limits.ts';
import type { ReportReason } from '../../protocol/moderation.ts';
import { reasonOf } from '../state/reason.ts';
import { report, reporting } from '../state/reporting.ts';
import { FormEnd } from './FormEnd.tsx';
import { Modal } from './Modal.tsx';
import { Select } from './Select.tsx';

const REASONS: readonly (readonly [ReportReason, string])[] = [
  ['spam', 'It is spam'],
  ['harassment', 'It harasses somebody'],
  ['illegal', 'It is against the law'],
  ['sensitive', 'It shows what should not be shown here'],
  ['other', 'Something else'],
];
const QUOTED = 200;

/** What is wrong with a message, for those who moderate. */
export function ReportDialog() {
  const { value: message } = reporting;
  return message && <Form key={message.id} message={message} />;
}

function Form({ message }: { message: Message }) {
  const reason = useSignal<ReportReason>('spam');
  const comment = useSignal('');
  const problem = useSignal<string | null>(null);
  const isBusy = useSignal(false);
  const close = () => (reporting.value = null);
  const send = async (event: Event) => {
    event.preventDefault();
    if (isBusy.peek()) return;
    isBusy.value = true;
    problem.value = null;
    await report(message, { reason: reason.peek(), comment: comment.peek().trim() }).then(close, (error: unknown) => (problem.value = reasonOf(error)));
    isBusy.value = false;
  };
  return (
    <Modal title="Report this message?" onClose={close}>
      <blockquote class="quoted" dir="auto">
        {message.text.length > QUOTED ? `${message.text.slice(0, QUOTED)}…` : message.text}
      </blockquote>
      <form class="form" aria-busy={isBusy.value} onSubmit={(event) => void send(event)}>
        <Select label="Reason" options={REASONS} chosen={reason} />
        <label>
          Comment <span class="optional">(optional)</span>
          <textarea class="field" dir="auto" rows={3} maxLength={MAX_MODERATION_COMMENT} value={comment.value} onInput={(event) => (comment.value = event.currentTarget.value)} />
        </label>
        <p class="people-hint">Those who moderate see the message as it is now, and that it was you who reported it.</p>
        <FormEnd problem={problem} isDisabled={isBusy.value} action="Report" tone="danger" onCancel={close} />
      </form>
    </Modal>
  );
}
