// A file of a task, shown by its media type. What could run is shown where it cannot; nothing remote is loaded.
import { Anchor, Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { lazy, type ReactNode, Suspense, useEffect, useMemo, useState } from 'react';
import { API_URL, ProblemError } from '../api/client';
import type { FileOfTask } from '../api/types';
import { Code, JsonCode } from './code';
import { parseCsv } from './csv';
import { Problem, Waiting } from './feedback';
import { Icon } from './icons';
import { Markdown } from './markdown';
import { Records } from './records';
import { plain, size } from './text';

const MOST_BYTES = 8_000_000;
const MOST_ROWS = 1_000;

const Chart = lazy(() => import('./chart/chart'));

type Kind = 'markdown' | 'table' | 'chart' | 'json' | 'image' | 'svg' | 'pdf' | 'html' | 'text' | 'other';

export function kindOf(mediaType: string, name: string): Kind {
  const type = mediaType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === 'text/markdown' || (type.startsWith('text/') && name.endsWith('.md'))) return 'markdown';
  if (type === 'text/csv' || type === 'text/tab-separated-values') return 'table';
  if (type.startsWith('application/vnd.vegalite')) return 'chart';
  if (type === 'application/json' || type.endsWith('+json')) return 'json';
  if (type === 'image/svg+xml') return 'svg';
  if (/^image\/(png|jpeg|webp|gif|avif)$/.test(type)) return 'image';
  if (type === 'application/pdf') return 'pdf';
  if (type === 'text/html' || type === 'application/xhtml+xml') return 'html';
  if (type.startsWith('text/') || /^application\/(x-)?(yaml|toml|xml|javascript|python|sh)/.test(type)) return 'text';
  return 'other';
}

export function Artifact({ file, closed = false }: { file: FileOfTask; closed?: boolean }): ReactNode {
  const [isOpen, setOpen] = useState(!closed);
  const url = API_URL + file.url;
  const kind = kindOf(file.media_type, file.name);
  const whyNot = whyNotShown(kind, file.size_bytes);
  return (
    <section className="card" aria-label={plain(file.name)} style={{ marginBottom: 12 }}>
      <header style={{ display: 'flex', alignItems: 'center', gap: 8, padding: '8px 12px' }}>
        <Icon name="file" />
        <button
          type="button"
          className="plain-button truncate"
          style={{ flex: '0 0 auto', maxWidth: '62%' }}
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          <bdi>{plain(file.name)}</bdi>
        </button>
        <span className="dim small truncate" style={{ marginLeft: 'auto' }}>
          {plain(file.media_type)}, {size(file.size_bytes)}
        </span>
        <Anchor href={url} download={file.name} aria-label={`Download ${plain(file.name)}`} title="Download">
          <Icon name="download" />
        </Anchor>
      </header>
      {isOpen && (
        <div style={{ padding: '0 12px 12px' }}>
          {whyNot !== null ? (
            <NotShown why={whyNot} />
          ) : kind === 'image' ? (
            <Picture url={url} name={plain(file.name)} />
          ) : (
            <Content url={url} kind={kind} name={plain(file.name)} />
          )}
        </div>
      )}
    </section>
  );
}

function whyNotShown(kind: Kind, bytes: number): string | null {
  if (bytes === 0) return 'It is empty.';
  if (bytes > MOST_BYTES) return 'It is too large to be shown here; download it.';
  return kind === 'other' ? 'It cannot be shown here; download it.' : null;
}

function NotShown({ why }: { why: string }): ReactNode {
  return (
    <p className="dim" style={{ margin: 0 }}>
      {why}
    </p>
  );
}

function Content({ url, kind, name }: { url: string; kind: Kind; name: string }): ReactNode {
  const content = useQuery({
    queryKey: ['artifact', url],
    queryFn: async ({ signal }) => {
      const response = await fetch(url, { signal });
      if (!response.ok) throw new ProblemError(response.status, { detail: 'The file cannot be read.' });
      return response.blob();
    },
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });
  if (content.error) return <Problem error={content.error} again={() => void content.refetch()} />;
  if (!content.data) return <Waiting what={name} />;
  switch (kind) {
    case 'svg':
      return <Drawing blob={content.data} name={name} />;
    case 'pdf':
      return <Pdf blob={content.data} name={name} />;
    default:
      return <Text blob={content.data} kind={kind} name={name} />;
  }
}

function Text({ blob, kind, name }: { blob: Blob; kind: Kind; name: string }): ReactNode {
  const [text, setText] = useState<string | null>(null);
  useEffect(() => {
    let current = true;
    void blob.text().then((read) => current && setText(read));
    return () => {
      current = false;
    };
  }, [blob]);
  if (text === null) return <Waiting what={name} />;
  switch (kind) {
    case 'markdown':
      return <Markdown text={text} />;
    case 'table':
      return <CsvTable text={text} name={name} />;
    case 'chart':
      return (
        <Suspense fallback={<Waiting what={name} />}>
          <Chart text={text} name={name} />
        </Suspense>
      );
    case 'json':
      return <Json text={text} name={name} />;
    case 'html':
      return <Html text={text} name={name} />;
    default:
      return <Code text={text} label={name} />;
  }
}

function Json({ text, name }: { text: string; name: string }): ReactNode {
  try {
    return <JsonCode value={JSON.parse(text)} label={name} />;
  } catch {
    return <Code text={text} label={name} />;
  }
}

function CsvTable({ text, name }: { text: string; name: string }): ReactNode {
  const [head, ...body] = useMemo(() => parseCsv(text, MOST_ROWS + 2), [text]);
  return <Records columns={head ?? []} rows={body.slice(0, MOST_ROWS)} total={body.length} name={name} />;
}

/** A page from elsewhere, in a frame with no privileges at all: no scripts, no forms, no links out, no origin. */
function Html({ text, name }: { text: string; name: string }): ReactNode {
  const [asSource, setAsSource] = useState(false);
  return (
    <>
      <Button size="compact-xs" variant="default" mb={8} onClick={() => setAsSource(!asSource)}>
        {asSource ? 'Show the page' : 'Show the source'}
      </Button>
      {asSource ? (
        <Code text={text} label={name} />
      ) : (
        <iframe
          title={name}
          sandbox=""
          srcDoc={text}
          referrerPolicy="no-referrer"
          style={{
            width: '100%',
            height: 420,
            border: '1px solid var(--af-line)',
            borderRadius: 6,
            background: '#fff',
          }}
        />
      )}
    </>
  );
}

/** An image in which scripts do not run: that is so for every picture that an <img> shows. */
function Drawing({ blob, name }: { blob: Blob; name: string }): ReactNode {
  const url = useObjectUrl(blob, 'image/svg+xml');
  return url && <Picture url={url} name={name} background="#fff" />;
}

function Picture({ url, name, background }: { url: string; name: string; background?: string }): ReactNode {
  const [isBroken, setBroken] = useState(false);
  if (isBroken) return <NotShown why="It cannot be read as a picture; download it." />;
  return (
    <img
      src={url}
      alt={name}
      style={{ maxWidth: '100%', borderRadius: 6, background }}
      onError={() => setBroken(true)}
    />
  );
}

function Pdf({ blob, name }: { blob: Blob; name: string }): ReactNode {
  const url = useObjectUrl(blob, 'application/pdf');
  return url && <iframe title={name} src={url} style={{ width: '100%', height: 560, border: 0, borderRadius: 6 }} />;
}

function useObjectUrl(blob: Blob, type: string): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([blob], { type }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob, type]);
  return url;
}
