// Every question of every task, oldest first, each with what it is about and its form.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { questionsQuery } from '../../api/tasks';
import type { OpenQuestion } from '../../api/types';
import { Empty, Problem, Waiting } from '../../ui/feedback';
import { Page } from '../../ui/page';
import { QuestionForm } from '../../ui/question';
import { firstLine } from '../../ui/text';
import { Ago } from '../../ui/time';
import { PlanQuestion } from '../task/plan-editor';
import classes from './inbox.module.css';

const KINDS: Record<OpenQuestion['kind'], string> = {
  agent: 'An agent asks',
  auth: 'An agent needs an authorization',
  plan: 'A plan waits for approval',
  step: 'A step waits for approval',
};

export function Inbox(): ReactNode {
  const questions = useQuery({ ...questionsQuery, refetchInterval: 30_000 });
  return (
    <Page title="Inbox">
      {questions.error && <Problem error={questions.error} again={() => void questions.refetch()} />}
      {!questions.data && !questions.error && <Waiting what="questions" />}
      {questions.data?.items.length === 0 && <Empty icon="inbox" title="Nothing needs you." />}
      <div className={classes.list}>
        {questions.data?.items.map((question) => (
          <Card key={question.input_id} question={question} />
        ))}
      </div>
      {questions.data?.next_cursor && (
        <p className="dim">
          These are the oldest {questions.data.items.length}; the others come as these are answered.
        </p>
      )}
    </Page>
  );
}

function Card({ question }: { question: OpenQuestion }): ReactNode {
  const { task } = question;
  return (
    <article className={`card ${classes.card}`} aria-label={KINDS[question.kind]}>
      <header className={classes.head}>
        <h2>{KINDS[question.kind]}</h2>
        <span className="dim small">
          {question.agent_name && `${firstLine(question.agent_name, 60)} · `}
          <Ago at={question.created_at} />
        </span>
      </header>
      <p className={`dim small wrap ${classes.about}`}>
        {question.step_id ? (
          <Link to="/tasks/$taskId/steps/$stepId" params={{ taskId: task.id, stepId: question.step_id }}>
            {firstLine(task.description, 140)}
          </Link>
        ) : (
          <Link to="/tasks/$taskId" params={{ taskId: task.id }}>
            {firstLine(task.description, 140)}
          </Link>
        )}
        {question.instruction && ` · ${firstLine(question.instruction, 200)}`}
      </p>
      {question.kind === 'plan' ? (
        <PlanQuestion taskId={task.id} question={question} steps={question.plan?.steps ?? []} />
      ) : (
        <QuestionForm taskId={task.id} question={question} />
      )}
    </article>
  );
}
