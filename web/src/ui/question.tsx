// A question to a person, with its form: an agent's, a plan's, a step's. Whoever answers second is told.
import { Button, Group, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, lazy, type ReactNode, Suspense, useId, useState } from 'react';
import { ProblemError } from '../api/client';
import { queryClient } from '../api/query';
import { answerQuestion } from '../api/tasks';
import type { Json, JsonObject, NewAnswer, Question } from '../api/types';
import { SENDING, useAnswerDraft } from './answer-draft';
import { answerTo, keepDraft } from './drafts';
import { Problem, Waiting } from './feedback';
import { given, hasField, initial, missing } from './form/schema';
import { Icon } from './icons';
import { Markdown } from './markdown';
import { Ago } from './time';

const JsonForm = lazy(() => import('./form/json-form'));

interface Props {
  taskId: string;
  question: Question;
  /** Edits the plan in question; what it returns is what is approved. */
  children?: ReactNode;
  planEdit?: () => NewAnswer['plan'] | undefined;
}

export function QuestionForm({ taskId, question, children, planEdit }: Props): ReactNode {
  const answer = useMutation({
    mutationKey: SENDING,
    mutationFn: (content: Omit<NewAnswer, 'input_id'>) =>
      answerQuestion(taskId, { input_id: question.input_id, ...content }),
    onSuccess: () => keepDraft(answerTo(question.input_id), undefined),
    onSettled: () => {
      void queryClient.invalidateQueries({ queryKey: ['questions'] });
      void queryClient.invalidateQueries({ queryKey: ['tasks', 'one', taskId] });
    },
  });
  const isTaken = answer.error instanceof ProblemError && answer.error.status === 409;
  const isApproval = question.kind === 'plan' || question.kind === 'step';
  if (answer.isSuccess) {
    return (
      <p className="dim" role="status">
        <Icon name="check" size={14} /> Sent.
      </p>
    );
  }
  return (
    <div>
      <Markdown text={question.prompt} />
      {children}
      {question.expires_at && (
        <p className="dim small" style={{ margin: '4px 0' }}>
          Asked <Ago at={question.created_at} />; to be answered until{' '}
          {new Date(question.expires_at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })}.
        </p>
      )}
      {answer.error && !isShownInForm(question, answer.error) && (
        <div style={{ margin: '8px 0' }}>
          <Problem error={answer.error} />
        </div>
      )}
      {!isTaken &&
        (isApproval ? (
          <Approval question={question} busy={answer.isPending} send={answer.mutate} planEdit={planEdit} />
        ) : (
          <Reply question={question} busy={answer.isPending} error={answer.error} send={answer.mutate} />
        ))}
    </div>
  );
}

/** Whether the form says itself, at its fields, all that is wrong. */
function isShownInForm(question: Question, error: Error): boolean {
  if (!(error instanceof ProblemError) || error.errors.length === 0) return false;
  if (question.kind === 'plan' || question.kind === 'step') return false;
  const schema = question.schema as JsonObject | null;
  return error.errors.every(({ pointer }) =>
    schema === null ? pointer === '#/text' : hasField(schema, schema, pointer),
  );
}

type Send = (content: Omit<NewAnswer, 'input_id'>) => void;

function Approval(props: {
  question: Question;
  busy: boolean;
  send: Send;
  planEdit?: (() => NewAnswer['plan'] | undefined) | undefined;
}): ReactNode {
  const [{ comment = '' }, change] = useAnswerDraft(props.question);
  const decide = (approve: boolean): void => {
    const plan = approve ? props.planEdit?.() : undefined;
    props.send({ approve, ...(comment && { comment }), ...(plan && { plan }) });
  };
  return (
    <>
      <Textarea
        label="Comment (optional)"
        autosize
        maxRows={6}
        value={comment}
        onChange={(event) => change({ comment: event.currentTarget.value })}
      />
      <Group gap="xs" mt="sm">
        <Button loading={props.busy} onClick={() => decide(true)}>
          {props.planEdit ? 'Approve with these changes' : 'Approve'}
        </Button>
        <Button variant="default" disabled={props.busy} onClick={() => decide(false)}>
          Reject
        </Button>
      </Group>
    </>
  );
}

/** Whether a field holds what is no value yet, as JSON that is being typed or half a date; each such field is told, and
 * says so. */
function isUnfinished(form: HTMLFormElement): boolean {
  const unfinished = ([...form.elements] as HTMLInputElement[]).filter(
    ({ type, validity }) =>
      validity?.customError || validity?.badInput || (type.startsWith('date') && validity?.rangeOverflow),
  );
  for (const field of unfinished) field.checkValidity();
  return unfinished.length > 0;
}

function Reply(props: { question: Question; busy: boolean; error: Error | null; send: Send }): ReactNode {
  const schema = props.question.schema as JsonObject | null;
  const form = useId();
  const [begin] = useState<Json | undefined>(() =>
    schema ? initial(schema, schema) : props.question.kind === 'auth' ? 'done' : '',
  );
  const [{ reply }, change] = useAnswerDraft(props.question);
  const value = reply ? reply.value : begin;
  const setValue = (next: Json | undefined): void => change({ reply: { value: next } });
  const [empty, setEmpty] = useState<string[]>([]);
  const errors = new Map(empty.map((pointer) => [pointer, 'It is missing.']));
  if (props.error instanceof ProblemError) {
    for (const each of props.error.errors) errors.set(each.pointer, each.detail);
  }
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    if (isUnfinished(event.currentTarget)) return;
    if (schema === null) {
      props.send({ text: String(value ?? '') });
      return;
    }
    const lacking = missing(schema, schema, value);
    setEmpty(lacking);
    if (lacking.length === 0) props.send({ data: given(value) ?? {} });
  };
  return (
    <form onSubmit={submit} aria-labelledby={form} noValidate>
      <span id={form} hidden>
        Answer
      </span>
      {schema === null ? (
        <Textarea
          label="Your answer"
          autosize
          minRows={2}
          maxRows={12}
          value={String(value ?? '')}
          error={errors.get('#/text')}
          onChange={(event) => setValue(event.currentTarget.value)}
        />
      ) : (
        <Suspense fallback={<Waiting what="the form" />}>
          <JsonForm schema={schema} root={schema} value={value} onChange={setValue} errors={errors} />
        </Suspense>
      )}
      {schema !== null && errors.has('#/data') && <p style={{ color: 'var(--st-failed)' }}>{errors.get('#/data')}</p>}
      <Group mt="sm">
        <Button type="submit" loading={props.busy} disabled={schema === null && !String(value ?? '').trim()}>
          {props.question.kind === 'auth' ? 'It is done' : 'Send answer'}
        </Button>
      </Group>
    </form>
  );
}
