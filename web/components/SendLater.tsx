import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { randomId } from '../../client/ports.ts';
import type { ScheduleBody } from '../../protocol/scheduled-messages.ts';
import { momentAhead, ZONE } from '../state/dates.ts';
import { notify } from '../state/notices.ts';
import { schedule, scheduleRefusal, toggleScheduledPanel } from '../state/scheduled.ts';
import { fieldBounds, localFieldOf, momentOf, type SendTime, sendTimes } from '../state/send-times.ts';
import { isShown } from '../state/side-panel.ts';
import { keepFocusInside } from './focus.ts';
import { Popover } from './Popover.tsx';

interface Props {
  readonly anchor: RefObject<HTMLElement | null>;
  readonly channelId: string;
  /** Null: there is nothing that could be sent. */
  readonly content: Omit<ScheduleBody, 'send_at'> | null;
  /** Why it cannot be scheduled yet. */
  readonly obstacle: string | null;
  readonly onScheduled: () => void;
  readonly onClose: () => void;
}

/** When the message that is being written is to be sent. */
export function SendLater({ anchor, channelId, content, obstacle, onScheduled, onClose }: Props) {
  const ref = useRef<HTMLDivElement>(null);
  // As of when it opened: a press that is repeated because no answer came says the same moment again, and so schedules nothing twice.
  const [opened] = useState(() => new Date());
  const problem = useSignal<string | null>(null);
  const isBusy = useSignal(false);
  const last = useRef({ said: '', key: '' });
  useLayoutEffect(() => ref.current?.querySelector('button')?.focus(), []);

  const choose = async (at: Date) => {
    if (isBusy.peek() || content === null) return;
    problem.value = obstacle;
    if (obstacle !== null) return;
    isBusy.value = true;
    const body: ScheduleBody = { ...content, send_at: at.toISOString() };
    const said = JSON.stringify(body);
    if (said !== last.current.said) last.current = { said, key: randomId() };
    try {
      await schedule(channelId, body, last.current.key);
      notify(`Will be sent: ${momentAhead(at.getTime())}.`);
      onScheduled();
    } catch (error) {
      problem.value = scheduleRefusal(error);
    }
    isBusy.value = false;
  };
  const showAll = () => {
    onClose();
    if (!isShown('scheduled')) toggleScheduledPanel();
  };
  return (
    <Popover anchor={anchor} label="Send later" class="send-later" onClose={onClose}>
      <div ref={ref} onKeyDown={keepFocusInside} aria-busy={isBusy.value}>
        {content === null ? <p class="hint">Write a message first, then choose when it is sent.</p> : <Times opened={opened} isBusy={isBusy.value} choose={(at) => void choose(at)} />}
        {problem.value !== null && (
          <p class="form-problem" role="alert">
            {problem.value}
          </p>
        )}
        <button type="button" class="button quiet small" onClick={showAll}>
          Show scheduled messages
        </button>
      </div>
    </Popover>
  );
}

function Times({ opened, isBusy, choose }: { opened: Date; isBusy: boolean; choose: (at: Date) => void }) {
  const field = useSignal(localFieldOf(new Date(opened.getTime() + 3_600_000)));
  const submit = (event: Event) => {
    event.preventDefault();
    const at = momentOf(field.peek());
    if (at) choose(at);
  };
  return (
    <>
      <ul class="presets" aria-label="Suggestions">
        {sendTimes(opened).map((time) => (
          <Suggestion key={time.label} time={time} isBusy={isBusy} choose={choose} />
        ))}
      </ul>
      <form class="form" onSubmit={submit}>
        <label>
          At <span class="optional">({ZONE})</span>
          <input class="field" type="datetime-local" required {...fieldBounds(opened)} value={field.value} onInput={(event) => (field.value = event.currentTarget.value)} />
        </label>
        <button class="button primary" disabled={isBusy}>
          Schedule
        </button>
      </form>
    </>
  );
}

function Suggestion({ time: { label, at }, isBusy, choose }: { time: SendTime; isBusy: boolean; choose: (at: Date) => void }) {
  return (
    <li>
      <button type="button" disabled={isBusy} onClick={() => choose(at)}>
        {label}
        <span class="preset-end">{momentAhead(at.getTime())}</span>
      </button>
    </li>
  );
}
