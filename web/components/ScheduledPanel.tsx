import { scheduled, scheduledLoading } from '../state/scheduled.ts';
import { ListPanel } from './ListPanel.tsx';
import { ScheduledItem } from './ScheduledItem.tsx';

/** The user's messages that are to be sent later, what goes out next first; above them those that could not be sent. */
export function ScheduledPanel() {
  const { waiting, failed } = scheduled.value;
  const all = [...failed, ...waiting];
  return (
    <ListPanel
      label="Scheduled messages"
      title="Scheduled"
      loading={scheduledLoading.value}
      isEmpty={all.length === 0}
      hint="Messages that you have sent later will be here until it is time. The clock beside a message that you write has them wait."
    >
      <ul>
        {all.map((message) => (
          <ScheduledItem key={message.id} message={message} />
        ))}
      </ul>
    </ListPanel>
  );
}
