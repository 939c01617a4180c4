import { DEMO_ACCOUNTS } from './accounts.ts';

const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const STYLE = `
  :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent) }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 16px/1.5 system-ui, sans-serif }
  main { width: min(22rem, calc(100vw - 2rem)) }
  h1 { font-size: 1.4rem; margin: 0 0 .25rem }
  p { margin: 0 0 1.25rem; opacity: .75; font-size: .9rem }
  form { display: grid; gap: .5rem; margin: 0 0 1rem }
  button, input { font: inherit; color: inherit; padding: .6rem .8rem; border: 1px solid var(--line); border-radius: .5rem; background: none }
  button { cursor: pointer; text-align: left }
  button:hover, :focus-visible { outline: 2px solid #4a7dff; outline-offset: 1px }
  small { opacity: .6 }
  .other { grid-template-columns: 1fr auto }
  [role=alert] { color: #c62828; opacity: 1 }`;

/** The sign-in page: a button an account, and a field for any other handle. `action` takes the form; `fault` is shown if there is one. */
export function loginPage(action: string, fault?: string): string {
  const buttons = DEMO_ACCOUNTS.map(
    ({ handle, name }) => `<button name="handle" value="${escape(handle)}">${escape(name)} <small>@${escape(handle)}</small></button>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in to Colink</title><style>${STYLE}</style></head><body><main>
<h1>Sign in to Colink</h1>
<p>This is the identity provider for development. It knows no passwords: whoever can open this page can be anyone.</p>
${fault === undefined ? '' : `<p role="alert">${escape(fault)}</p>`}
<form method="post" action="${escape(action)}">${buttons.join('')}</form>
<form method="post" action="${escape(action)}" class="other">
<input name="handle" required maxlength="32" placeholder="another handle" aria-label="Another handle" autocomplete="username" autocapitalize="none">
<button>Sign in</button></form>
</main></body></html>`;
}
