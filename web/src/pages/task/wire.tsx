// What passed between us and the step's agents: what was said and heard, and what the agent says of it now.
import { Button } from '@mantine/core';
import { queryOptions, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, unwrap } from '../../api/client';
import type { Traffic } from '../../api/types';
import { partName } from '../../live/fold';
import { FailureNote, Problem, Waiting } from '../../ui/feedback';
import { Frames } from '../../ui/frames';
import { count, firstLine } from '../../ui/text';

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
  if (!traffic.data) return <Waiting what="what was said" />;
  const { items } = traffic.data;
  if (items.length === 0) return <p className="dim">No agent was called for this step.</p>;
  return (
    <>
      {items.map((each) => (
        <section key={`${each.part} ${each.attempt}`} style={{ marginBottom: 24 }} aria-label={nameOf(each)}>
          {items.length > 1 && <h3 className="section-title">{nameOf(each)}</h3>}
          <p className="dim small" style={{ marginTop: 0 }}>
            What was sent is put together again from what is stored; what came back is as the task’s log has it.
          </p>
          <Frames frames={each.told} />
          {each.left_out > 0 && (
            <p className="dim small">{count(each.left_out, 'entry', 'entries')} in the middle left out.</p>
          )}
          <h4 className="section-title" style={{ marginTop: 16 }}>
            What the agent says now
            <Button
              size="compact-xs"
              variant="default"
              loading={traffic.isFetching}
              onClick={() => void traffic.refetch()}
            >
              Ask again
            </Button>
          </h4>
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

function nameOf(each: Traffic): string {
  const part = each.part === null ? '' : `${partName(each.part)}, `;
  return `${part}${part ? 'try' : 'Try'} ${each.attempt}${each.agent_name ? `: ${firstLine(each.agent_name, 60)}` : ''}`;
}
