// The views and tabs that an address can name.
export const TASK_VIEWS = ['graph', 'timeline', 'list', 'raw'] as const;
export const STEP_TABS = ['output', 'answers', 'input', 'artifacts', 'log', 'wire', 'why'] as const;
export const AGENT_TABS = ['overview', 'card', 'try', 'credentials'] as const;
export type TaskView = (typeof TASK_VIEWS)[number];
export type StepTab = (typeof STEP_TABS)[number];
export type AgentTab = (typeof AGENT_TABS)[number];
