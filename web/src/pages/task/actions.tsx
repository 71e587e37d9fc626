// What can be done with a task: stop, retry, run again from a step.
import { Button, Group, Menu } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { queryClient } from '../../api/query';
import { cancelTask, retryTask, submitTask } from '../../api/tasks';
import type { JsonObject, Task } from '../../api/types';
import { isOver, type TaskState } from '../../live/fold';
import { useLive, useStatus } from '../../live/task-store';
import { Problem } from '../../ui/feedback';
import { sentAgain } from '../../ui/files';
import { Icon } from '../../ui/icons';

export function TaskActions({ task, onFork }: { task: Task; onFork: () => void }): ReactNode {
  const status = useStatus(task);
  const hasPlan = useLive(task.id, hasPlanOf) || task.plan !== null;
  const navigate = useNavigate();
  const go = (made: Task): void => void navigate({ to: '/tasks/$taskId', params: { taskId: made.id } });
  const stop = useMutation({
    mutationFn: () => cancelTask(task.id),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['tasks', 'one', task.id] }),
  });
  const retry = useMutation({ mutationFn: () => retryTask(task.id), onSuccess: go });
  const again = useMutation({ mutationFn: async () => submitTask(await sameAs(task)), onSuccess: go });
  const error = stop.error ?? retry.error ?? again.error;
  return (
    <>
      <Group gap="xs">
        {!isOver(status) && (
          <Button
            variant="default"
            leftSection={<Icon name="stop" size={14} />}
            loading={stop.isPending}
            onClick={() => stop.mutate()}
          >
            Stop
          </Button>
        )}
        {isOver(status) && (
          <Menu position="bottom-end" withinPortal>
            <Menu.Target>
              <Button
                variant="default"
                leftSection={<Icon name="retry" size={14} />}
                rightSection={<Icon name="down" size={12} />}
                loading={retry.isPending || again.isPending}
              >
                Retry
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item disabled={status === 'completed'} onClick={() => retry.mutate()}>
                What did not complete
              </Menu.Item>
              <Menu.Item disabled={!hasPlan} onClick={onFork}>
                From a step …
              </Menu.Item>
              <Menu.Item onClick={() => again.mutate()}>Everything, planned anew</Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
        {isOver(status) && hasPlan && (
          <Button variant="default" leftSection={<Icon name="fork" size={14} />} onClick={onFork}>
            Fork
          </Button>
        )}
      </Group>
      {error && (
        <div style={{ width: '100%' }}>
          <Problem error={error} />
        </div>
      )}
    </>
  );
}

/** The same goal with the same files and settings. */
async function sameAs(task: Task) {
  return {
    description: task.description,
    session_id: task.session_id,
    ...(task.files.length > 0 && { files: await Promise.all(task.files.map(sentAgain)) }),
    budget: task.budget as JsonObject,
    deadlines: task.deadlines as JsonObject,
    priority: task.priority,
    metadata: task.metadata as JsonObject,
  } as Parameters<typeof submitTask>[0];
}

function hasPlanOf(state: TaskState): boolean {
  return state.plan !== null;
}
