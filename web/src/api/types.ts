// Names for the generated types. Nothing here is typed by hand.
import type { components } from './schema';

type Schemas = components['schemas'];

export type Agent = Schemas['Agent'];
export type AgentRegistration = Schemas['AgentRegistration'];
export type Attempt = Schemas['AttemptOfStep'];
export type BrowserSession = Schemas['BrowserSession'];
export type BrowserStep = Schemas['BrowserStep'];
export type CardChange = Schemas['CardChange'];
export type Failure = Schemas['Failure'];
export type FileOfTask = Schemas['FileOfTask'];
export type Finding = Schemas['Finding'];
export type Health = Schemas['Health'];
export type HealthSpan = Schemas['HealthSpan'];
export type InputKind = Schemas['Question']['kind'];
export type LearnedPlan = Schemas['LearnedPlan'];
export type Match = Schemas['Match'];
export type Message = Schemas['Message'];
export type NewAnswer = Schemas['NewAnswer'];
export type NewTask = Schemas['NewTask'];
export type OpenQuestion = Schemas['OpenQuestion'];
export type PlannedStep = Schemas['PlannedStep'];
export type Question = Schemas['Question'];
export type RoundOfStep = Schemas['RoundOfStep'];
export type Session = Schemas['Session'];
export type Skill = Schemas['SkillOfAgent'];
export type Spent = Schemas['Spent'];
export type Step = Schemas['Step'];
export type StepStatus = Step['status'];
export type Task = Schemas['Task'];
export type TaskEvent = Schemas['EventPage']['items'][number];
export type TaskPlan = Schemas['TaskPlan'];
export type TaskResult = Schemas['TaskResult'];
export type TaskStatus = Task['status'];
export type Traffic = Schemas['Traffic'];
export type Verification = Schemas['Verification'];

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };
