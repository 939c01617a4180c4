import { place } from '../state/location.ts';
import { pathOf } from '../state/path.ts';

/** `isUnasked`: the session has ended elsewhere, or by itself. */
export function SignIn({ isUnasked }: { isUnasked: boolean }) {
  const returnTo = new URLSearchParams({ return_to: pathOf(place.value) });
  return (
    <main class="splash">
      <img src="/favicon.svg" alt="" width="56" height="56" />
      <h1>Colink</h1>
      <p role="status">{isUnasked ? 'You have been signed out. Sign in to go on where you were.' : 'Talk with your team.'}</p>
      <a class="button primary" href={`/auth/login?${returnTo}`}>
        Sign in
      </a>
    </main>
  );
}
