// A2A messages, one by one, as they went over the wire.
import { type ReactNode, useState } from 'react';
import type { components } from '../api/schema';
import { JsonCode } from './code';
import classes from './frames.module.css';
import { duration, firstLine, plain } from './text';

export type Frame = components['schemas']['Frame'];

export function Frames({ frames }: { frames: readonly Frame[] }): ReactNode {
  return (
    <ol className={classes.frames}>
      {frames.map((frame, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: frames are only ever appended
        <FrameRow key={place} frame={frame} />
      ))}
    </ol>
  );
}

function FrameRow({ frame }: { frame: Frame }): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <li>
      <button type="button" className={classes.head} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span className={frame.direction === 'sent' ? classes.sent : classes.received}>
          {frame.direction === 'sent' ? '→ sent' : '← received'}
        </span>
        <span className="truncate">{plain(summaryOf(frame))}</span>
        <span className="dim small" style={{ marginLeft: 'auto', whiteSpace: 'nowrap' }}>
          {duration(frame.after_ms)}
        </span>
      </button>
      {isOpen && (
        <>
          {frame.method && (
            <p className="mono small wrap" style={{ margin: '6px 0' }}>
              {frame.method} {plain(frame.url ?? '')}
              {Object.entries(frame.headers ?? {}).map(([name, value]) => (
                <span key={name} style={{ display: 'block' }}>
                  {plain(name)}: <span className="dim">{plain(value)}</span>
                </span>
              ))}
            </p>
          )}
          <JsonCode value={frame.content} label={`${frame.direction} message`} />
        </>
      )}
    </li>
  );
}

/** A frame in a few words: the method, or the kind of what came, with the state of its task. */
function summaryOf(frame: Frame): string {
  const content = frame.content as {
    type?: unknown;
    text?: unknown;
    artifact?: { name?: unknown };
    status?: unknown;
    method?: unknown;
    result?: Record<string, unknown>;
    error?: { message?: unknown };
  };
  if (typeof content !== 'object' || content === null) return String(content).slice(0, 120);
  if (typeof content.method === 'string') return content.method;
  if (typeof content.type === 'string' && content.type.startsWith('step.')) {
    const said = [content.text, content.status, content.artifact?.name].find((each) => typeof each === 'string') ?? '';
    return `${content.type.slice(5)}: ${firstLine(String(said), 100)}`;
  }
  if (content.error) return `error: ${String(content.error.message)}`;
  const result = (content.result ?? content) as Record<string, { state?: unknown; status?: { state?: unknown } }>;
  const kind = result.status ? 'task' : Object.keys(result)[0];
  if (kind === undefined) return frame.operation;
  const state = result.status?.state ?? result[kind]?.status?.state;
  return state ? `${kind}: ${String(state)}` : kind;
}
