// One block of Markdown. This file brings the parser and the highlighter, so it is loaded when first needed.
import { memo, type ReactNode } from 'react';
import ReactMarkdown, { type Components } from 'react-markdown';
import rehypeHighlight from 'rehype-highlight';
import remarkGfm from 'remark-gfm';
import { CopyButton } from './copy';
import './markdown.css';

const GFM = [remarkGfm];
const HIGHLIGHT = [rehypeHighlight];
// Both cost more than all the rest: they are there where the block has something for them.
const MAY_BE_GFM = /[|~@]|www\.|https?:|\[[ xX^]/;
const MAY_BE_CODE = /```|~~~/;
const OWN_FILE = /^\/api\/tasks\/[\w-]+\/artifacts\/[\w-]+$/;

const COMPONENTS: Components = {
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  ),
  img: ({ src, alt }) =>
    typeof src === 'string' && OWN_FILE.test(src) ? (
      <img src={src} alt={alt ?? ''} loading="lazy" />
    ) : (
      <span className="md-image">
        [image{alt ? `: ${alt}` : ''}
        {typeof src === 'string' && /^https?:/.test(src) ? `, not loaded: ${src}` : ''}]
      </span>
    ),
  pre: ({ children, node }) => (
    <div className="md-code">
      <CopyButton text={textOf(node)} />
      <pre tabIndex={0}>{children}</pre>
    </div>
  ),
  table: ({ children }) => (
    <div className="md-table" tabIndex={0} role="group" aria-label="Table">
      <table>{children}</table>
    </div>
  ),
};

export default memo(function MarkdownBlock({ text, isOpen }: { text: string; isOpen: boolean }): ReactNode {
  return (
    <ReactMarkdown
      remarkPlugins={MAY_BE_GFM.test(text) ? GFM : undefined}
      rehypePlugins={!isOpen && MAY_BE_CODE.test(text) ? HIGHLIGHT : undefined}
      components={COMPONENTS}
    >
      {text}
    </ReactMarkdown>
  );
});

interface TreeNode {
  value?: unknown;
  children?: unknown[];
}

function textOf(node: unknown): string {
  const { value, children } = (node ?? {}) as TreeNode;
  if (typeof value === 'string') return value;
  return Array.isArray(children) ? children.map(textOf).join('') : '';
}
