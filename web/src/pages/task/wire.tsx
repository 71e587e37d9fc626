// What goes over the wire: the A2A messages, one by one.
import { Button } from '@mantine/core';
import { queryOptions, useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { JsonCode } from '../../ui/code';
import { FailureNote, Problem, Waiting } from '../../ui/feedback';
import { plain } from '../../ui/text';
import classes from './task.module.css';

export type Frame = components['schemas']['Frame'];

const wireQuery = (taskId: string, stepId: string) =>
  queryOptions({
    queryKey: ['wire', taskId, stepId],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET('/api/tasks/{task_id}/steps/{step_id}/wire', {
          params: { path: { task_id: taskId, step_id: stepId } },
          signal,
        }),
      ),
    staleTime: 0,
  });

export function Wire({ taskId, stepId }: { taskId: string; stepId: string }): ReactNode {
  const traffic = useQuery(wireQuery(taskId, stepId));
  if (traffic.error) return <Problem error={traffic.error} again={() => void traffic.refetch()} />;
  if (!traffic.data) return <Waiting what="what the agent says" />;
  const { items } = traffic.data;
  if (items.length === 0) return <p className="dim">No agent was called for this step.</p>;
  return (
    <>
      <p className="dim small" style={{ marginTop: 0 }}>
        The agent was asked just now for the task that it has for this step; its answer holds the messages of both sides.{' '}
        <Button size="compact-xs" variant="default" loading={traffic.isFetching} onClick={() => void traffic.refetch()}>
          Ask again
        </Button>
      </p>
      {items.map((each) => (
        <section key={each.attempt}>
          {items.length > 1 && <h3 className="section-title">Attempt {each.attempt}</h3>}
          {each.error !== null && (
            <FailureNote failure={{ title: String(each.error.title), detail: String(each.error.detail) }} />
          )}
          {each.remote_task_id === null && <p className="dim">The agent never answered with a task.</p>}
          <Frames frames={each.frames} />
        </section>
      ))}
    </>
  );
}

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
      <button type="button" className={classes.frameHead} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span className={frame.direction === 'sent' ? classes.frameSent : classes.frameReceived}>
          {frame.direction === 'sent' ? '→ sent' : '← received'}
        </span>
        <span className="truncate">{plain(summaryOf(frame))}</span>
        <span className="dim small" style={{ marginLeft: 'auto', whiteSpace: 'nowrap' }}>
          {frame.after_ms} ms
        </span>
      </button>
      {isOpen && <JsonCode value={frame.content} label={`${frame.direction} message`} />}
    </li>
  );
}

/** A frame in a few words: the method, or the kind of what came, with the state of its task. */
function summaryOf(frame: Frame): string {
  const content = frame.content as { method?: unknown; result?: Record<string, unknown>; error?: { message?: unknown } };
  if (typeof content !== 'object' || content === null) return String(content).slice(0, 120);
  if (typeof content.method === 'string') return content.method;
  if (content.error) return `error: ${String(content.error.message)}`;
  const result = (content.result ?? content) as Record<string, { state?: unknown; status?: { state?: unknown } }>;
  const [kind] = Object.keys(result);
  if (kind === undefined) return frame.operation;
  const state = result[kind]?.status?.state ?? result.status?.state;
  return state ? `${kind}: ${String(state)}` : kind;
}
