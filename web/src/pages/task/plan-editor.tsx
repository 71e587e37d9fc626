// A plan that waits for approval: approve it, reject it, or change its steps and approve that.
import { ActionIcon, Button, Stack, Textarea } from '@mantine/core';
import { type ReactNode, useCallback } from 'react';
import type { NewAnswer, PlannedStep, Question } from '../../api/types';
import type { TaskState } from '../../live/fold';
import { useLive } from '../../live/task-store';
import { useAnswerDraft } from '../../ui/answer-draft';
import { Icon } from '../../ui/icons';
import { QuestionForm } from '../../ui/question';
import { firstLine, plain } from '../../ui/text';

export default function PlanEditor({ taskId, question }: { taskId: string; question: Question }): ReactNode {
  const plan = useLive(taskId, planOf);
  return <PlanQuestion taskId={taskId} question={question} steps={plan?.steps ?? []} />;
}

export function PlanQuestion(props: { taskId: string; question: Question; steps: readonly PlannedStep[] }): ReactNode {
  const [{ steps: edited }, change] = useAnswerDraft(props.question);
  const planEdit = useCallback((): NewAnswer['plan'] | undefined => {
    if (edited === undefined) return undefined;
    return { steps: edited.map((step) => ({ ...step, step_number: 0 })) } as NewAnswer['plan'];
  }, [edited]);
  return (
    <QuestionForm taskId={props.taskId} question={props.question} {...(edited && { planEdit })}>
      {edited === undefined ? (
        <>
          <ol style={{ margin: '6px 0', paddingLeft: 22 }}>
            {props.steps.map((step) => (
              <li key={step.id} className="wrap">
                {firstLine(step.instruction, 300)}{' '}
                <span className="dim small">{plain(step.agent ?? step.skill ?? '')}</span>
              </li>
            ))}
          </ol>
          <Button
            size="compact-sm"
            variant="default"
            mb={8}
            leftSection={<Icon name="edit" size={13} />}
            onClick={() => change({ steps: props.steps })}
          >
            Change the steps
          </Button>
        </>
      ) : (
        <Steps steps={edited} onChange={(steps) => change({ steps })} />
      )}
    </QuestionForm>
  );
}

function Steps(props: {
  steps: readonly PlannedStep[];
  onChange: (steps: readonly PlannedStep[] | undefined) => void;
}): ReactNode {
  const { steps, onChange } = props;
  return (
    <Stack gap="xs" my={8}>
      {steps.map((step, place) => (
        <div key={step.id} style={{ display: 'flex', gap: 6, alignItems: 'flex-start' }}>
          <Textarea
            aria-label={`Step ${place + 1}`}
            autosize
            maxRows={8}
            style={{ flex: 1 }}
            value={step.instruction}
            onChange={(event) => {
              const instruction = event.currentTarget.value;
              onChange(steps.map((each) => (each.id === step.id ? { ...each, instruction } : each)));
            }}
          />
          <ActionIcon
            variant="default"
            size={34}
            aria-label={`Remove step ${place + 1}`}
            disabled={steps.length === 1}
            onClick={() => onChange(without(steps, step))}
          >
            <Icon name="trash" size={15} />
          </ActionIcon>
        </div>
      ))}
      <div>
        <Button size="compact-sm" variant="subtle" onClick={() => onChange(undefined)}>
          Leave it as it was
        </Button>
      </div>
    </Stack>
  );
}

/** The plan without a step: what waited for it waits for what it waited for. */
export function without(steps: readonly PlannedStep[], gone: PlannedStep): PlannedStep[] {
  return steps
    .filter((each) => each.id !== gone.id)
    .map((each) =>
      each.depends_on.includes(gone.id)
        ? {
            ...each,
            depends_on: [...new Set([...each.depends_on.filter((id) => id !== gone.id), ...gone.depends_on])],
          }
        : each,
    );
}

function planOf(state: TaskState): TaskState['plan'] {
  return state.plan;
}
