// Markdown from elsewhere: no HTML, no remote images, no scripts; each finished block is rendered once.
import { lazy, memo, type ReactNode, Suspense, useMemo } from 'react';
import { blocks } from './markdown-blocks';
import { useShare } from './share';
import { plain } from './text';

const Block = lazy(() => import('./markdown-block'));

const MOST_CHARS = 400_000;
const AT_ONCE = 24;
const CODE = /```|~~~/;

/** `grows`: more is coming; then what is costly waits until its block is finished. */
export const Markdown = memo(function Markdown({ text, grows = false }: { text: string; grows?: boolean }): ReactNode {
  const all = useMemo(() => blocks(plain(text.slice(0, MOST_CHARS))), [text]);
  const parts = useShare(all, AT_ONCE);
  return (
    <div className="markdown" dir="auto">
      <Suspense fallback={<pre className="wrap">{text.slice(0, 2000)}</pre>}>
        {parts.map((part, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: blocks are only ever appended
          <Block key={place} text={part} isOpen={grows && place === all.length - 1 && CODE.test(part)} />
        ))}
      </Suspense>
      {text.length > MOST_CHARS && <p className="dim">The rest is left out; the text is too long to be shown whole.</p>}
    </div>
  );
});
