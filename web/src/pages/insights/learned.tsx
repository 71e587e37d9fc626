// What was learned: plans of the model that succeeded. Each can be forgotten, and all of them.
import { ActionIcon, Button, Group } from '@mantine/core';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { forget, learnedQuery } from '../../api/learned';
import type { LearnedPlan } from '../../api/types';
import { Confirm } from '../../ui/confirm';
import { Empty, Problem, Waiting } from '../../ui/feedback';
import { Icon } from '../../ui/icons';
import { count, firstLine, plain } from '../../ui/text';
import { Ago } from '../../ui/time';
import classes from './insights.module.css';

export default function Learned(): ReactNode {
  const learned = useInfiniteQuery(learnedQuery);
  const [asks, setAsks] = useState(false);
  const clear = useMutation({ mutationFn: () => forget(null), onSuccess: () => setAsks(false) });
  const plans = learned.data?.pages.flatMap((page) => page.items) ?? [];
  if (learned.error) return <Problem error={learned.error} again={() => void learned.refetch()} />;
  if (learned.isPending) return <Waiting what="what was learned" />;
  if (plans.length === 0) {
    return (
      <Empty icon="insights" title="Nothing was learned yet">
        <p>When a task that a model planned completes, its plan is kept, and does the same request without a model.</p>
      </Empty>
    );
  }
  return (
    <>
      <Group justify="space-between" mb="sm">
        <p className="dim" style={{ margin: 0 }}>
          The same request is done by the same plan, without asking the model.
        </p>
        <Button variant="default" size="xs" onClick={() => setAsks(true)}>
          Forget all
        </Button>
      </Group>
      <ul className={`card rows ${classes.learned}`}>
        {plans.map((plan) => (
          <Plan key={plan.id} plan={plan} />
        ))}
      </ul>
      {learned.hasNextPage && (
        <Button
          variant="default"
          mt="md"
          loading={learned.isFetchingNextPage}
          onClick={() => void learned.fetchNextPage()}
        >
          Show more
        </Button>
      )}
      {asks && (
        <Confirm
          title="Forget all learned plans?"
          no="Keep them"
          yes="Forget all"
          isBusy={clear.isPending}
          error={clear.error}
          onNo={() => setAsks(false)}
          onYes={() => clear.mutate()}
        >
          Tasks stay as they are; the next ones are planned anew.
        </Confirm>
      )}
    </>
  );
}

function Plan({ plan }: { plan: LearnedPlan }): ReactNode {
  const drop = useMutation({ mutationFn: () => forget(plan.id) });
  const goal = firstLine(plan.goal, 160);
  return (
    <li>
      <div style={{ flex: 1, minWidth: 0 }}>
        <details>
          <summary className="wrap">{goal}</summary>
          <ol className={classes.plan}>
            {plan.steps.map((step) => (
              <li key={String(step.id)} className="wrap">
                {firstLine(String(step.instruction ?? ''), 300)}{' '}
                <code className="dim small">{plain(String(step.skill ?? step.agent ?? ''))}</code>
              </li>
            ))}
          </ol>
        </details>
        <div className="dim small">
          {count(plan.steps.length, 'step')}; succeeded {count(plan.successes, 'time')}
          {plan.failures > 0 && `, failed ${count(plan.failures, 'time')}`}; used <Ago at={plan.used_at} /> in{' '}
          <Link to="/tasks/$taskId" params={{ taskId: plan.task_id }}>
            its last task
          </Link>
        </div>
        {drop.error && <Problem error={drop.error} />}
      </div>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={`Forget: ${goal}`}
        loading={drop.isPending}
        onClick={() => drop.mutate()}
      >
        <Icon name="trash" size={15} />
      </ActionIcon>
    </li>
  );
}
