import { notice, reconnectNow, status } from '../state/connectivity.ts';

/** Over the messages while they are not live: why, and what can be done. */
export function ConnectionBanner() {
  const { kind, remedy } = status.value;
  return (
    <div class="banner-frame" role="status" aria-label="Connection">
      {notice.value !== null && (
        <div class={`banner ${kind}`}>
          <p>{notice.value}</p>
          {remedy === 'retry' && <Remedy label="Try now" act={reconnectNow} />}
          {remedy === 'reload' && <Remedy label="Reload" act={() => location.reload()} />}
        </div>
      )}
    </div>
  );
}

function Remedy({ label, act }: { label: string; act: () => void }) {
  return (
    <button type="button" class="button small" onClick={act}>
      {label}
    </button>
  );
}
