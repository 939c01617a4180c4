import { me } from '../state/account.ts';
import { type Stretch, stretches } from '../../protocol/code.ts';
import { type Segment, segments } from '../state/text.ts';
import { userByHandle } from '../state/users.ts';

/** A message's text as nodes: code, addresses as links, and whom it names. These run from left to right, whatever the text around them does. */
export function RichText({ text }: { text: string }) {
  return (
    <>
      {stretches(text).map((stretch, i) => (
        <Run key={i} {...stretch} />
      ))}
    </>
  );
}

function Run({ kind, text }: Stretch) {
  switch (kind) {
    case 'prose':
      return <>{segments(text).map((segment, i) => <Piece key={i} {...segment} />)}</>;
    case 'inline':
      return <code dir="ltr">{text}</code>;
    case 'block':
      return (
        <pre class="code" tabIndex={0} dir="ltr">
          <code>{text}</code>
        </pre>
      );
  }
}

function Piece({ text, href, mention }: Segment) {
  if (mention !== null) return <Mention handle={mention} text={text} />;
  if (href === null) return <>{text}</>;
  return (
    <a href={href} dir="ltr" target="_blank" rel="noopener noreferrer nofollow">
      {text}
    </a>
  );
}

/** Names of nobody whom the page knows stay text. */
function Mention({ handle, text }: { handle: string; text: string }) {
  const user = userByHandle(handle);
  if (!user) return <>{text}</>;
  const isMe = user.id === me.value?.id;
  if (isMe) return <mark class="mention mine" dir="ltr">{text}</mark>;
  return (
    <span class="mention" dir="ltr" title={user.display_name}>
      {text}
    </span>
  );
}
