import { me } from '../state/account.ts';
import { stretches } from '../state/code.ts';
import { type Segment, segments } from '../state/text.ts';
import { userByHandle } from '../state/users.ts';

/** A message's text as nodes: code, addresses as links, and whom it names. */
export function RichText({ text }: { text: string }) {
  return (
    <>
      {stretches(text).map((stretch, i) => {
        if (stretch.kind === 'prose') return segments(stretch.text).map((segment, j) => <Piece key={`${i} ${j}`} {...segment} />);
        if (stretch.kind === 'inline') return <code key={i}>{stretch.text}</code>;
        return (
          <pre key={i} class="code" tabIndex={0} dir="ltr">
            <code>{stretch.text}</code>
          </pre>
        );
      })}
    </>
  );
}

function Piece({ text, href, mention }: Segment) {
  if (mention !== null) return <Mention handle={mention} text={text} />;
  if (href === null) return <>{text}</>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {text}
    </a>
  );
}

/** Names of nobody whom the page knows stay text. */
function Mention({ handle, text }: { handle: string; text: string }) {
  const user = userByHandle(handle);
  if (!user) return <>{text}</>;
  const isMe = user.id === me.value?.id;
  return isMe ? <mark class="mention mine">{text}</mark> : <span class="mention" title={user.display_name}>{text}</span>;
}
