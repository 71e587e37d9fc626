import { describe, expect, it } from 'vitest';
import type { TaskEvent } from '../api/types';
import { EMPTY, fold, hasGap } from './fold';

const AT = '2026-11-21T09:00:00+00:00';

function event(seq: number, type: string, more: object = {}): TaskEvent {
  return { task_id: 't', seq, at: AT, type, ...more } as TaskEvent;
}

function planned(id: string, ...depends_on: string[]): object {
  return { id, step_number: 1, skill: 'echo', agent: null, instruction: `do ${id}`, depends_on };
}

const STORY: TaskEvent[] = [
  event(1, 'task.status', { status: 'pending' }),
  event(2, 'task.status', { status: 'planning' }),
  event(3, 'plan.created', {
    plan: { id: 'p', revision: 1, strategy: 'given', steps: [planned('a'), planned('b', 'a')] },
  }),
  event(4, 'task.status', { status: 'executing' }),
  event(5, 'step.status', { step_id: 'a', status: 'running', agent_name: 'Echo' }),
  event(6, 'step.progress', { step_id: 'a', text: 'listening' }),
  event(7, 'step.output', { step_id: 'a', text: 'Hel', append: false }),
  event(8, 'step.output', { step_id: 'a', text: 'lo', append: true }),
  event(9, 'input.required', { input_id: 'i', kind: 'agent', step_id: 'a', prompt: 'Who?' }),
  event(10, 'step.status', { step_id: 'a', status: 'input_required' }),
  event(11, 'task.status', { status: 'input_required' }),
  event(12, 'input.answered', { input_id: 'i' }),
  event(13, 'task.status', { status: 'executing' }),
  event(14, 'step.status', { step_id: 'a', status: 'completed' }),
  event(15, 'step.artifact', { step_id: 'a', artifact: { id: 'f', name: 'x.csv' } }),
  event(16, 'plan.revised', {
    plan: { id: 'p', revision: 2, strategy: 'llm', steps: [planned('a'), planned('c', 'a')] },
    reason: 'b is not needed',
  }),
  event(17, 'a.type.of.next.year', { step_id: 'a' }),
  event(18, 'step.status', { step_id: 'c', status: 'failed', error: { type: 'x', title: 'X', detail: 'It broke' } }),
  event(19, 'result.delta', { text: 'Half ' }),
  event(20, 'task.result', { result: { summary: 'Half of it', outputs: [], artifacts: [] } }),
  event(21, 'task.status', { status: 'failed', error: { type: 'x', title: 'X', detail: 'It broke' } }),
];

describe('fold', () => {
  it('tells the story of a task', () => {
    const state = fold(EMPTY, STORY);
    expect(state.status).toBe('failed');
    expect(state.error?.detail).toBe('It broke');
    expect([...state.steps.keys()]).toEqual(['a', 'c']);
    expect(state.steps.get('a')).toMatchObject({ status: 'completed', text: 'Hello', agentName: 'Echo', begun: 1 });
    expect(state.steps.get('a')?.artifacts).toHaveLength(1);
    expect(state.steps.get('c')?.error?.detail).toBe('It broke');
    expect(state.questions.size).toBe(0);
    expect(state.summary).toBe('Half of it');
    expect(state.revisionReason).toBe('b is not needed');
    expect(state.raw).toHaveLength(21);
  });

  it('gives the same state however the events are batched', () => {
    const whole = fold(EMPTY, STORY);
    for (let size = 1; size < STORY.length; size += 1) {
      let state = EMPTY;
      for (let at = 0; at < STORY.length; at += size) state = fold(state, STORY.slice(at, at + size));
      expect(state).toEqual(whole);
    }
  });

  it('does nothing with events that it has seen', () => {
    const whole = fold(EMPTY, STORY);
    expect(fold(whole, STORY)).toBe(whole);
    expect(fold(fold(EMPTY, STORY.slice(0, 12)), STORY.slice(5))).toEqual(whole);
  });

  it('never changes a state that it was given, and keeps what did not change', () => {
    const before = fold(EMPTY, STORY.slice(0, 7));
    const copy = structuredClone(before);
    const after = fold(before, STORY.slice(7, 8));
    expect(before).toEqual(copy);
    expect(after.steps.get('b')).toBe(before.steps.get('b'));
    expect(after.questions).toBe(before.questions);
    expect(after.log).toBe(before.log);
  });

  it('keeps an event of an unknown type in the raw log', () => {
    const state = fold(EMPTY, [event(1, 'a.type.of.next.year')]);
    expect(state.seq).toBe(1);
    expect(state.raw).toHaveLength(1);
  });

  it('shows a step that no plan has', () => {
    const state = fold(EMPTY, [event(1, 'step.status', { step_id: 'ghost', status: 'running' })]);
    expect(state.steps.get('ghost')?.status).toBe('running');
  });

  it('keeps the answers of a step that asks for several apart, and draws no step of their own', () => {
    const state = fold(EMPTY, [
      event(1, 'plan.created', { plan: { id: 'p', revision: 1, strategy: 'given', steps: [planned('a')] } }),
      event(2, 'step.status', { step_id: 'a:1.1', status: 'running', agent_name: 'Ann' }),
      event(3, 'step.output', { step_id: 'a:1.1', text: '4', append: false }),
      event(4, 'step.output', { step_id: 'a:1.1', text: '2', append: true }),
      event(5, 'step.progress', { step_id: 'a:1.1', text: 'counting' }),
      event(6, 'step.status', { step_id: 'a:1.1', status: 'completed' }),
      event(7, 'step.status', { step_id: 'a:2.v', status: 'completed' }),
    ]);
    expect([...state.steps.keys()]).toEqual(['a']);
    const step = state.steps.get('a');
    expect(step).toMatchObject({ status: 'pending', text: '', progress: 'counting' });
    expect([...(step?.parts.values() ?? [])]).toMatchObject([
      { round: 1, number: 1, status: 'completed', agentName: 'Ann', text: '42' },
      { round: 2, number: null, status: 'completed' },
    ]);
    expect(state.log.map((entry) => [entry.stepId, entry.text]).slice(1, 3)).toEqual([
      ['a', 'Answer 1: running (Ann)'],
      ['a', 'Answer 1: counting'],
    ]);
  });

  it('sees a gap, and no gap where events come twice', () => {
    expect(hasGap(EMPTY, STORY.slice(1))).toBe(true);
    expect(hasGap(EMPTY, STORY)).toBe(false);
    expect(hasGap(fold(EMPTY, STORY.slice(0, 5)), STORY.slice(2, 9))).toBe(false);
    expect(hasGap(EMPTY, [...STORY.slice(0, 3), ...STORY.slice(4)])).toBe(true);
  });
});
