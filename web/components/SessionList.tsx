import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Credential, CredentialKind } from '../../protocol/credentials.ts';
import { confirmation } from '../state/confirmation.ts';
import { shortDay } from '../state/dates.ts';
import { api } from '../state/platform.ts';
import { reasonOf } from '../state/reason.ts';

/** Where one is signed in, each to be ended, and tokens of programs. */
export function SessionList() {
  const listed = useSignal<readonly Credential[] | null>(null);
  const problem = useSignal<string | null>(null);
  const ref = useRef<HTMLElement>(null);
  const run = (what: () => Promise<unknown>) =>
    what()
      .then(async () => (listed.value = (await api.credentials()).data))
      .then(
        () => (problem.value = null),
        (error: unknown) => (problem.value = reasonOf(error)),
      );
  useEffect(() => void run(() => Promise.resolve()), []);
  const end = ({ id }: Credential) =>
    run(async () => {
      await api.revokeCredential(id);
      // Its button goes, and would take the focus with it.
      if (ref.current?.contains(document.activeElement)) ref.current.focus();
    });
  return (
    <section ref={ref} class="sessions" aria-label="Sessions and tokens" tabIndex={-1}>
      <h3>Where you are signed in</h3>
      {problem.value !== null && (
        <p class="form-problem" role="alert">
          {problem.value}
        </p>
      )}
      {listed.value === null && problem.value === null && <div class="spinner" role="status" aria-label="Loading sessions" />}
      <ul class="browse">
        {listed.value?.map((credential) => (
          <Listed key={credential.id} credential={credential} end={() => void end(credential)} />
        ))}
      </ul>
    </section>
  );
}

const KINDS: Readonly<Record<CredentialKind, string>> = { session: 'Browser', personal: 'Personal token', bot: 'Token of a bot', provider: 'Token of the identity provider' };

function Listed({ credential, end }: { credential: Credential; end: () => void }) {
  const { kind, name, current } = credential;
  const shown = name || KINDS[kind];
  const act = kind === 'session' ? 'Sign out' : 'Revoke';
  return (
    <li>
      <div class="browse-text">
        <bdi class="ellipsis">{shown}</bdi>
        <span class="topic">
          {kind === 'session' ? '' : `${KINDS[kind]}, `}
          {current ? 'this one' : usageInWords(credential)}
        </span>
      </div>
      {!current && (
        <button type="button" class="button small" aria-label={`${act}: ${shown}`} onClick={() => (kind === 'session' ? end() : askToRevoke(shown, end))}>
          {act}
        </button>
      )}
    </li>
  );
}

const usageInWords = ({ last_used_at: used, created_at: created }: Credential): string =>
  used === null ? `made on ${shortDay(Date.parse(created))}, not used yet` : `last used on ${shortDay(Date.parse(used))}`;

/** One signs in again, but a token cannot be had back. */
function askToRevoke(name: string, confirmed: () => void): void {
  confirmation.value = { title: 'Revoke this token?', text: `Programs that use “${name}” have no access any more, at once and for good.`, action: 'Revoke', confirmed };
}
