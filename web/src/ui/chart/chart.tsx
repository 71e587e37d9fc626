// A Vega-Lite chart, its rows and its source. It is drawn by a worker and shown as an image: in it nothing can run or load.
import { SegmentedControl, useComputedColorScheme } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { Code, JsonCode } from '../code';
import { Waiting } from '../feedback';
import { Records } from '../records';
import { firstLine } from '../text';
import { rowsOf } from './rows';
import type { Drawing, Wish } from './wish';

const PATIENCE_MS = 10_000;
const MOST_CHARS = 2_000_000;
const MOST_ROWS = 500;
const WIDEST = 760;

type Show = 'chart' | 'data' | 'source';

export default function Chart({ text, name }: { text: string; name: string }): ReactNode {
  const spec = useMemo(() => read(text), [text]);
  const rows = useMemo(() => rowsOf(spec, MOST_ROWS), [spec]);
  const [show, setShow] = useState<Show>('chart');
  if (spec === null) return <Code text={text} label={name} />;
  return (
    <>
      <SegmentedControl
        size="xs"
        mb={8}
        aria-label={`How to show ${name}`}
        data={[
          { value: 'chart', label: 'Chart' },
          ...(rows ? [{ value: 'data', label: 'Data' }] : []),
          { value: 'source', label: 'Source' },
        ]}
        value={show}
        onChange={(next) => setShow(next as Show)}
      />
      {show === 'chart' && <Picture spec={spec} name={name} />}
      {show === 'data' && rows && <Records {...rows} name={`Data of ${name}`} />}
      {show === 'source' && <JsonCode value={spec} label={name} />}
    </>
  );
}

function Picture({ spec, name }: { spec: object; name: string }): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState<number | null>(null);
  const scheme = useComputedColorScheme('light');
  useEffect(() => {
    if (box.current) setWidth(Math.min(WIDEST, Math.max(240, Math.floor(box.current.clientWidth))));
  }, []);
  const drawn = useQuery({
    queryKey: ['chart', spec, scheme, width],
    queryFn: ({ signal }) => draw({ spec, config: look(), width: width ?? WIDEST }, signal),
    enabled: width !== null,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    retry: false,
  });
  const url = useObjectUrl(drawn.data);
  return (
    <div ref={box}>
      {drawn.error ? (
        <p className="dim">It cannot be drawn: {firstLine(drawn.error.message, 300)}</p>
      ) : url ? (
        <img src={url} alt={titleOf(spec) || `Chart: ${name}`} style={{ display: 'block', maxWidth: '100%' }} />
      ) : (
        <Waiting what={name} />
      )}
    </div>
  );
}

function draw(wish: Wish, signal: AbortSignal): Promise<Blob> {
  return new Promise<Blob>((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    const end = (then: () => void): void => {
      clearTimeout(timer);
      worker.terminate();
      then();
    };
    const fail = (why: string): void => end(() => reject(new Error(why)));
    const timer = setTimeout(() => fail('it takes too long'), PATIENCE_MS);
    signal.addEventListener('abort', () => fail('it is not wanted any more'));
    worker.onerror = (event) => fail(event.message || 'the part that draws it did not start');
    worker.onmessage = ({ data }: MessageEvent<Drawing>) => {
      if ('error' in data) fail(data.error);
      else end(() => resolve(new Blob([data.svg], { type: 'image/svg+xml' })));
    };
    worker.postMessage(wish);
  });
}

/** The colours of the page, as Vega takes them. A chart can say otherwise. */
function look(): object {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const [text, dim, line] = [colour('--af-text'), colour('--af-dim'), colour('--af-line')];
  return {
    background: 'transparent',
    font: 'system-ui, sans-serif',
    view: { stroke: 'transparent', continuousHeight: 260 },
    title: { color: text, fontSize: 14, fontWeight: 600, anchor: 'start', subtitleColor: dim },
    axis: {
      labelColor: dim,
      titleColor: dim,
      titleFontWeight: 500,
      gridColor: line,
      domainColor: line,
      tickColor: line,
      labelFontSize: 11,
      titleFontSize: 12,
    },
    axisXDiscrete: { labelAngle: -35, labelLimit: 120 },
    legend: { labelColor: dim, titleColor: dim, titleFontWeight: 500 },
    header: { labelColor: dim, titleColor: dim },
    text: { fill: text },
    mark: { color: colour('--af-accent') },
    range: { category: CATEGORIES },
  };
}

/** Distinct on white and on near-black alike. */
const CATEGORIES = ['#2b8c81', '#c9762b', '#6c7fd8', '#b8577f', '#6f9a3a', '#3f9ac0', '#a58a2c', '#8a6bb1'];

function useObjectUrl(blob: Blob | undefined): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (!blob) return;
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return url;
}

function read(text: string): object | null {
  if (text.length > MOST_CHARS) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function titleOf(spec: object): string {
  const { description, title } = spec as { description?: unknown; title?: unknown };
  const told = typeof title === 'object' && title !== null ? (title as { text?: unknown }).text : title;
  return firstLine([description, told].find((each): each is string => typeof each === 'string') ?? '', 300);
}
