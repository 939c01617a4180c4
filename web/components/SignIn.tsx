import { place } from '../state/location.ts';
import { pathOf } from '../state/path.ts';

export function SignIn() {
  const returnTo = new URLSearchParams({ return_to: pathOf(place.value) });
  return (
    <main class="splash">
      <img src="/favicon.svg" alt="" width="56" height="56" />
      <h1>Colink</h1>
      <p>Talk with your team.</p>
      <a class="button primary" href={`/auth/login?${returnTo}`}>
        Sign in
      </a>
    </main>
  );
}
