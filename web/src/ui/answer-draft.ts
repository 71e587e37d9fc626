// What was begun to be answered to a question.
import type { Json, PlannedStep, Question } from '../api/types';
import { answerTo, draftOf, keepDraft, useDraft } from './drafts';

interface AnswerDraft {
  /** What the form holds; not there: it was not touched. */
  reply?: { value: Json | undefined };
  comment?: string;
  /** The plan in question, as far as it was changed. */
  steps?: readonly PlannedStep[] | undefined;
}

const NOTHING: AnswerDraft = {};

/**
 * What was begun to be answered, kept until it is sent: who looks at the step first, or at another page, finds it again.
 * What says who one is may be a secret, and is not written down.
 */
export function useAnswerDraft(question: Question): [AnswerDraft, (changed: AnswerDraft) => void] {
  const name = answerTo(question.input_id);
  const draft = useDraft<AnswerDraft>(name) ?? NOTHING;
  return [draft, (changed) => keepDraft(name, { ...draft, ...changed }, question.kind !== 'auth')];
}

/** The key under which answers are being sent. */
export const SENDING = ['answer'];

/** What was begun to be answered to a question and not sent; '': nothing, or what is nobody else's business. */
export function unsentAnswer(question: Question): string {
  const draft = draftOf<AnswerDraft>(answerTo(question.input_id));
  if (!draft || question.kind === 'auth') return '';
  const reply = draft.reply?.value;
  const written = typeof reply === 'string' ? reply : reply === undefined ? '' : JSON.stringify(reply, null, 2);
  const steps = draft.steps?.map((step) => step.instruction) ?? [];
  return [draft.comment ?? '', written, ...steps].filter((each) => each.trim()).join('\n');
}
