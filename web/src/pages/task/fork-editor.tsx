// Runs a task again from a step, with other words if one likes. It is loaded when first needed.
import { Button, Group, Modal, Radio, Stack, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type ReactNode, useMemo, useState } from 'react';
import { forkTask } from '../../api/tasks';
import type { Task } from '../../api/types';
import { keepDraft, useDraft } from '../../ui/drafts';
import { Problem } from '../../ui/feedback';
import { useFocusBack } from '../../ui/page';
import { count, firstLine } from '../../ui/text';
import { dependents } from './progress';

/** What steps are told instead of what they were, by their ids. */
type Edited = Readonly<Record<string, string>>;

const NOTHING: Edited = {};

export default function ForkEditor(props: { task: Task; fromStep: string | null; close: () => void }): ReactNode {
  const steps = props.task.steps;
  useFocusBack();
  const navigate = useNavigate();
  const [from, setFrom] = useState(props.fromStep ?? steps[0]?.id ?? '');
  const before = steps.find((step) => step.id === from)?.instruction ?? '';
  const draft = `fork ${props.task.id}`;
  const edited = useDraft<Edited>(draft) ?? NOTHING;
  const instruction = edited[from] ?? before;
  const again = useMemo(() => dependents(steps, from), [steps, from]);
  const kept = steps.filter((step) => step.status === 'completed' && !again.has(step.id));
  const unsent = steps.filter((step) => step.id !== from && (edited[step.id] ?? step.instruction) !== step.instruction);
  const forget = (): void => {
    keepDraft(draft, undefined);
    props.close();
  };
  const fork = useMutation({
    mutationFn: () => forkTask(props.task.id, from, instruction === before ? null : instruction),
    onSuccess: (made) => {
      forget();
      void navigate({ to: '/tasks/$taskId', params: { taskId: made.id } });
    },
  });
  return (
    <Modal opened onClose={props.close} title="Run again from a step" size="xl">
      <Stack gap="md">
        <Radio.Group label="From which step" value={from} onChange={setFrom}>
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
          onChange={(event) => keepDraft(draft, { ...edited, [from]: event.currentTarget.value })}
        />
        <p className="dim" style={{ margin: 0 }}>
          A new task: {count(again.size, 'step')} again, {count(kept.length, 'result')} kept. This task stays as it is.
        </p>
        {unsent.length > 0 && (
          <p style={{ margin: 0 }} role="status">
            Only the step that it begins with is told other words; what you wrote for{' '}
            {unsent.length === 1 ? 'step' : 'steps'} {unsent.map((step) => step.step_number).join(', ')} is not sent.
          </p>
        )}
        {fork.error && <Problem error={fork.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={forget}>
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
