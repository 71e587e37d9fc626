// Plain text and JSON, as they are.
import type { ReactNode } from 'react';
import { CopyButton } from './copy';
import './markdown.css';
import { plain } from './text';

const MOST_CHARS = 200_000;

export function Code({ text, label }: { text: string; label: string }): ReactNode {
  const shown = text.length > MOST_CHARS ? `${text.slice(0, MOST_CHARS)}\n… ${text.length - MOST_CHARS} more` : text;
  return (
    <div className="md-code">
      <CopyButton text={text} />
      <pre className="wrap" tabIndex={0} role="group" aria-label={label} style={{ whiteSpace: 'pre-wrap' }}>
        {plain(shown)}
      </pre>
    </div>
  );
}

export function JsonCode({ value, label }: { value: unknown; label: string }): ReactNode {
  return <Code text={JSON.stringify(value, null, 2) ?? 'undefined'} label={label} />;
}
