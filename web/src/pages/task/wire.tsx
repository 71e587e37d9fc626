// What goes over the wire: the A2A messages, one by one.
import { Button } from '@mantine/core';
import { queryOptions, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, unwrap } from '../../api/client';
import { FailureNote, Problem, Waiting } from '../../ui/feedback';
import { Frames } from '../../ui/frames';

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
        The agent was asked just now for the task that it has for this step; its answer holds the messages of both
        sides.{' '}
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
