// Pure: folds a task's events into its state. The same events give the same state, however they are batched.
import type {
  Failure,
  FileOfTask,
  PlannedStep,
  Question,
  Spent,
  StepStatus,
  TaskEvent,
  TaskPlan,
  TaskResult,
  TaskStatus,
} from '../api/types';

export interface LiveStep {
  planned: PlannedStep;
  status: StepStatus;
  agentName: string | null;
  whyChosen: string | null;
  error: Failure | null;
  keptFrom: string | null;
  text: string;
  progress: string | null;
  artifacts: readonly FileOfTask[];
  startedAt: string | null;
  endedAt: string | null;
  /** How often it was begun: more than once after a failure that may pass. */
  begun: number;
  /** By their ids; empty unless the step has several answers, or its answer is judged. */
  parts: ReadonlyMap<string, LivePart>;
}

/** One of several answers of a step (STEP:ROUND.NUMBER), or what was decided on a round of them (STEP:ROUND.v). */
export interface LivePart {
  id: string;
  round: number;
  /** Null: it is what was decided. */
  number: number | null;
  status: StepStatus;
  agentName: string | null;
  error: Failure | null;
  text: string;
}

export interface LogEntry {
  seq: number;
  at: string;
  type: string;
  stepId: string | null;
  /** What happened, in words. */
  text: string;
}

export interface TaskState {
  seq: number;
  status: TaskStatus;
  error: Failure | null;
  plan: TaskPlan | null;
  revisionReason: string | null;
  steps: ReadonlyMap<string, LiveStep>;
  questions: ReadonlyMap<string, Question>;
  usage: Spent | null;
  summary: string;
  result: TaskResult | null;
  startedAt: string | null;
  endedAt: string | null;
  log: readonly LogEntry[];
  raw: readonly TaskEvent[];
}

export const EMPTY: TaskState = {
  seq: 0,
  status: 'pending',
  error: null,
  plan: null,
  revisionReason: null,
  steps: new Map(),
  questions: new Map(),
  usage: null,
  summary: '',
  result: null,
  startedAt: null,
  endedAt: null,
  log: [],
  raw: [],
};

export function isOver(status: TaskStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'canceled';
}

/** Whether an event is missing between `state` and these events: then ask again from `state.seq`. */
export function hasGap(state: TaskState, events: readonly TaskEvent[]): boolean {
  let next = state.seq + 1;
  for (const event of events) {
    if (event.seq > next) return true;
    if (event.seq === next) next += 1;
  }
  return false;
}

/** Returns the state after these events; those that came before are skipped. Unchanged parts stay the same objects. */
export function fold(state: TaskState, events: readonly TaskEvent[]): TaskState {
  const fresh = unseen(state.seq, events);
  if (fresh.length === 0) return state;
  const draft = new Draft(state);
  for (const event of fresh) draft.apply(event);
  return draft.finish(fresh);
}

function unseen(seq: number, events: readonly TaskEvent[]): TaskEvent[] {
  let last = seq;
  return events.filter((event) => {
    if (event.seq <= last) return false;
    last = event.seq;
    return true;
  });
}

/** The next state while it is made: each map and step is copied once, when it is first changed. */
class Draft {
  private readonly next: { -readonly [K in keyof TaskState]: TaskState[K] };
  private steps: Map<string, LiveStep> | null = null;
  private questions: Map<string, Question> | null = null;
  private readonly copied = new Map<string, LiveStep>();
  private readonly entries: LogEntry[] = [];

  constructor(private readonly before: TaskState) {
    this.next = { ...before };
  }

  finish(fresh: TaskEvent[]): TaskState {
    this.next.log = this.entries.length ? this.before.log.concat(this.entries) : this.before.log;
    this.next.raw = this.before.raw.concat(fresh);
    return this.next;
  }

  apply(event: TaskEvent): void {
    this.next.seq = event.seq;
    switch (event.type) {
      case 'task.status':
        this.next.status = event.status;
        this.next.error = event.error ?? null;
        if (event.status === 'planning' || event.status === 'executing') this.next.startedAt ??= event.at;
        if (isOver(event.status)) {
          this.next.endedAt = event.at;
          if (this.next.questions.size) this.questions = new Map();
          if (this.questions) this.next.questions = this.questions;
        }
        this.note(event, null, `The task is ${words(event.status)}${event.error ? `: ${event.error.detail}` : ''}`);
        break;
      case 'plan.created':
      case 'plan.revised':
        this.plan(event.plan);
        this.next.revisionReason = event.type === 'plan.revised' ? event.reason : null;
        this.note(
          event,
          null,
          event.type === 'plan.created'
            ? `Planned ${event.plan.steps.length} ${event.plan.steps.length === 1 ? 'step' : 'steps'}`
            : `The plan changed: ${event.reason}`,
        );
        break;
      case 'step.status': {
        const at = event.agent_name ? ` (${event.agent_name})` : '';
        this.note(event, event.step_id, `${words(event.status)}${at}${event.error ? `: ${event.error.detail}` : ''}`);
        const part = this.part(event.step_id);
        if (part) {
          part.status = event.status;
          part.error = event.error ?? null;
          part.agentName = event.agent_name ?? part.agentName;
          break;
        }
        const step = this.step(event.step_id);
        if (event.status === 'running') {
          step.startedAt ??= event.at;
          if (step.status !== 'input_required') step.begun += 1;
        } else if (event.status !== 'pending' && event.status !== 'input_required') {
          step.endedAt = event.at;
        }
        if (event.status === 'pending' || event.status === 'running') step.endedAt = null;
        step.status = event.status;
        step.error = event.error ?? null;
        step.agentName = event.agent_name ?? step.agentName;
        step.whyChosen = event.why_chosen ?? step.whyChosen;
        step.keptFrom = event.kept_from ?? step.keptFrom;
        if (event.status !== 'running') step.progress = null;
        break;
      }
      case 'step.progress':
        this.step(ownerOf(event.step_id)).progress = event.text;
        this.note(event, event.step_id, event.text);
        break;
      case 'step.output': {
        const step = this.part(event.step_id) ?? this.step(event.step_id);
        step.text = event.append ? step.text + event.text : event.text;
        break;
      }
      case 'step.artifact': {
        const step = this.step(ownerOf(event.step_id));
        step.artifacts = [...step.artifacts.filter((file) => file.id !== event.artifact.id), event.artifact];
        this.note(event, event.step_id, `Produced ${event.artifact.name}`);
        break;
      }
      case 'input.required':
        this.questions ??= new Map(this.next.questions);
        this.questions.set(event.input_id, {
          input_id: event.input_id,
          step_id: event.step_id ? ownerOf(event.step_id) : null,
          kind: event.kind,
          prompt: event.prompt,
          schema: event.schema ?? null,
          path: [],
          created_at: event.at,
          expires_at: event.expires_at ?? null,
        });
        this.next.questions = this.questions;
        this.note(event, event.step_id ?? null, `Asks: ${event.prompt}`);
        break;
      case 'input.answered':
        this.questions ??= new Map(this.next.questions);
        this.questions.delete(event.input_id);
        this.next.questions = this.questions;
        this.note(event, null, event.expired ? 'Nobody answered in time' : answered(event.approve));
        break;
      case 'usage':
        this.next.usage = event.usage;
        break;
      case 'result.delta':
        this.next.summary += event.text;
        break;
      case 'task.evaluated': {
        const { round, score, passed } = event.evaluation;
        this.note(
          event,
          null,
          `Round ${round} was judged: ${score.toFixed(2)}, ${passed ? 'good' : 'not good'} enough`,
        );
        break;
      }
      case 'task.result':
        this.next.result = event.result;
        this.next.summary = event.result.summary;
        break;
      default:
        // A newer orchestrator tells of something that this page does not know: it stands in the raw log.
        this.note(event as { seq: number; at: string; type: string }, null, 'Not known to this page; see the raw log');
    }
  }

  private plan(plan: TaskPlan): void {
    const before = this.steps ?? this.next.steps;
    const steps = new Map<string, LiveStep>();
    for (const planned of plan.steps) {
      const known = before.get(planned.id);
      const step = known ? { ...known, planned } : blank(planned);
      steps.set(planned.id, step);
      this.copied.set(planned.id, step);
    }
    this.next.plan = plan;
    this.steps = steps;
    this.next.steps = steps;
  }

  private step(id: string): LiveStep {
    const mine = this.copied.get(id);
    if (mine) return mine;
    const known = this.next.steps.get(id);
    const copy = known ? { ...known } : blank(unplanned(id));
    this.steps ??= new Map(this.next.steps);
    this.steps.set(id, copy);
    this.next.steps = this.steps;
    this.copied.set(id, copy);
    return copy;
  }

  /** Returns the part with this id, to be changed; null if it is the id of a step of the plan. */
  private part(id: string): { -readonly [K in keyof LivePart]: LivePart[K] } | null {
    const owner = ownerOf(id);
    if (owner === id) return null;
    const step = this.step(owner);
    const [round, number] = id.slice(owner.length + 1).split('.');
    const part = step.parts.get(id) ?? {
      id,
      round: Number(round),
      number: number === 'v' ? null : Number(number),
      status: 'pending',
      agentName: null,
      error: null,
      text: '',
    };
    const copy = { ...part };
    step.parts = new Map(step.parts).set(id, copy);
    return copy;
  }

  private note(event: { seq: number; at: string; type: string }, stepId: string | null, text: string): void {
    const owner = stepId && ownerOf(stepId);
    const told = owner === stepId ? text : `${partName(stepId as string)}: ${text}`;
    this.entries.push({ seq: event.seq, at: event.at, type: event.type, stepId: owner, text: told });
  }
}

function blank(planned: PlannedStep): LiveStep {
  return {
    planned,
    status: 'pending',
    agentName: null,
    whyChosen: null,
    error: null,
    keptFrom: null,
    text: '',
    progress: null,
    artifacts: [],
    startedAt: null,
    endedAt: null,
    begun: 0,
    parts: new Map(),
  };
}

/** The step of the plan that an id belongs to: an answer of a step has the id STEP:ROUND.NUMBER. */
export function ownerOf(id: string): string {
  return id.split(':', 1)[0] as string;
}

/** An answer as people say it. */
export function partName(id: string): string {
  const [round, number] = id.slice(ownerOf(id).length + 1).split('.');
  return number === 'v' ? `Decision ${round}` : round === '1' ? `Answer ${number}` : `Round ${round}, answer ${number}`;
}

function unplanned(id: string): PlannedStep {
  return {
    id,
    step_number: 0,
    skill: null,
    agent: null,
    instruction: id,
    depends_on: [],
    inputs: null,
    success_criteria: null,
    timeout_s: null,
    idempotent: null,
    approve: false,
    agents: null,
    consensus: null,
    evaluate: null,
  };
}

function answered(approve: boolean | null | undefined): string {
  if (approve === true) return 'Approved';
  return approve === false ? 'Rejected' : 'Answered';
}

/** A status as people say it. */
export function words(status: TaskStatus | StepStatus): string {
  return status === 'input_required' ? 'waiting for you' : status;
}
