// What can be done with a task: stop, retry, run again from a step with other words.
import { Button, Group, Menu, Modal, Radio, Stack, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type ReactNode, useMemo, useRef, useState } from 'react';
import { queryClient } from '../../api/query';
import { cancelTask, forkTask, retryTask, submitTask } from '../../api/tasks';
import type { JsonObject, Task } from '../../api/types';
import { isOver, type TaskState } from '../../live/fold';
import { useLive } from '../../live/task-store';
import { Problem } from '../../ui/feedback';
import { Icon } from '../../ui/icons';
import { count, firstLine, freshKey } from '../../ui/text';

export function TaskActions({ task, onFork }: { task: Task; onFork: () => void }): ReactNode {
  const status = useLive(task.id, statusOf);
  const hasPlan = useLive(task.id, hasPlanOf);
  const navigate = useNavigate();
  const go = (made: Task): void => void navigate({ to: '/tasks/$taskId', params: { taskId: made.id } });
  const key = useRef(freshKey());
  const stop = useMutation({
    mutationFn: () => cancelTask(task.id),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['tasks', 'one', task.id] }),
  });
  const retry = useMutation({ mutationFn: () => retryTask(task.id, key.current), onSuccess: go });
  const again = useMutation({ mutationFn: () => submitTask(sameAs(task), key.current), onSuccess: go });
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

/** The same goal with the same settings; files of the old task are not taken along. */
function sameAs(task: Task) {
  return {
    description: task.description,
    session_id: task.session_id,
    budget: task.budget as JsonObject,
    deadlines: task.deadlines as JsonObject,
    priority: task.priority,
    metadata: task.metadata as JsonObject,
  } as Parameters<typeof submitTask>[0];
}

export function ForkEditor(props: { task: Task; fromStep: string | null; close: () => void }): ReactNode {
  const steps = props.task.steps;
  const navigate = useNavigate();
  const [from, setFrom] = useState(props.fromStep ?? steps[0]?.id ?? '');
  const before = steps.find((step) => step.id === from)?.instruction ?? '';
  const [edited, setEdited] = useState<string | null>(null);
  const instruction = edited ?? before;
  const again = useMemo(() => dependents(steps, from), [steps, from]);
  const kept = steps.filter((step) => step.status === 'completed' && !again.has(step.id));
  const key = useRef(freshKey());
  const fork = useMutation({
    mutationFn: () => forkTask(props.task.id, from, instruction === before ? null : instruction, key.current),
    onSuccess: (made) => {
      props.close();
      void navigate({ to: '/tasks/$taskId', params: { taskId: made.id } });
    },
    onError: () => {
      key.current = freshKey();
    },
  });
  return (
    <Modal opened onClose={props.close} title="Run again from a step" size="xl">
      <Stack gap="md">
        <Radio.Group
          label="From which step"
          value={from}
          onChange={(next) => {
            setFrom(next);
            setEdited(null);
          }}
        >
          <Stack gap={6} mt={6} mah={240} style={{ overflowY: 'auto' }}>
            {steps.map((step) => (
              <Radio
                key={step.id}
                value={step.id}
                label={`${step.step_number}. ${firstLine(step.instruction, 90)}`}
                description={
                  again.has(step.id) ? 'runs again' : step.status === 'completed' ? 'its result is kept' : 'runs'
                }
              />
            ))}
          </Stack>
        </Radio.Group>
        <Textarea
          label="What the step is told"
          autosize
          minRows={3}
          maxRows={12}
          value={instruction}
          onChange={(event) => setEdited(event.currentTarget.value)}
        />
        <p className="dim" style={{ margin: 0 }}>
          A new task: {count(again.size, 'step')} again, {count(kept.length, 'result')} kept. This task stays as it is.
        </p>
        {fork.error && <Problem error={fork.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={props.close}>
            Cancel
          </Button>
          <Button loading={fork.isPending} disabled={!instruction.trim()} onClick={() => fork.mutate()}>
            Run
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

/** The step and all that need it, directly or not. */
export function dependents(steps: readonly { id: string; depends_on: string[] }[], from: string): Set<string> {
  const found = new Set([from]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const step of steps) {
      if (!found.has(step.id) && step.depends_on.some((id) => found.has(id))) {
        found.add(step.id);
        grew = true;
      }
    }
  }
  return found;
}

function statusOf(state: TaskState): TaskState['status'] {
  return state.status;
}

function hasPlanOf(state: TaskState): boolean {
  return state.plan !== null;
}
