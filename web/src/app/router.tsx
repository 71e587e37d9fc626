// Every address of the UI. Pages come when they are needed; their filters, tabs and selections are in the address.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { queryClient } from '../api/query';
import { taskQuery } from '../api/tasks';
import type { TaskStatus } from '../api/types';
import { GROUPS, type Group } from '../api/usage';
import { Empty, Problem } from '../ui/feedback';
import { Page } from '../ui/page';
import { Shell } from './shell';
import { AGENT_TABS, type AgentTab, STEP_TABS, type StepTab, TASK_VIEWS, type TaskView } from './tabs';

const STATUSES = ['pending', 'planning', 'executing', 'input_required', 'completed', 'failed', 'canceled'] as const;

type Search = Record<string, unknown>;

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined;
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[]): T | undefined {
  return allowed.find((each) => each === value);
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const home = createRoute({
  getParentRoute: () => root,
  path: '/',
  validateSearch: (search: Search): { goal?: string | undefined; agent?: string | undefined } => ({
    goal: text(search.goal),
    agent: text(search.agent),
  }),
  component: lazyRouteComponent(() => import('../pages/home/home'), 'Home'),
});

const inbox = createRoute({
  getParentRoute: () => root,
  path: '/inbox',
  component: lazyRouteComponent(() => import('../pages/inbox/inbox'), 'Inbox'),
});

const tasks = createRoute({
  getParentRoute: () => root,
  path: '/tasks',
  validateSearch: (
    search: Search,
  ): { q?: string | undefined; status?: TaskStatus | undefined; agent?: string | undefined } => ({
    q: text(search.q),
    status: oneOf(search.status, STATUSES),
    agent: text(search.agent),
  }),
  component: lazyRouteComponent(() => import('../pages/tasks/tasks'), 'Tasks'),
});

const task = createRoute({
  getParentRoute: () => root,
  path: '/tasks/$taskId',
  validateSearch: (
    search: Search,
  ): { view?: TaskView | undefined; tab?: StepTab | undefined; attempt?: number | undefined } => ({
    view: oneOf(search.view, TASK_VIEWS),
    tab: oneOf(search.tab, STEP_TABS),
    attempt: typeof search.attempt === 'number' && search.attempt > 0 ? search.attempt : undefined,
  }),
  // What the page needs comes at once, not one after the other.
  loader: ({ params, cause }) => {
    if (cause !== 'enter') return;
    void queryClient.prefetchQuery(taskQuery(params.taskId));
    void import('../pages/task/graph');
  },
  component: lazyRouteComponent(() => import('../pages/task/task'), 'TaskPage'),
});

const step = createRoute({ getParentRoute: () => task, path: '/steps/$stepId' });

const chats = createRoute({
  getParentRoute: () => root,
  path: '/chat',
  component: lazyRouteComponent(() => import('../pages/chat/chat'), 'Chat'),
});

const chat = createRoute({ getParentRoute: () => chats, path: '/$sessionId' });

const agents = createRoute({
  getParentRoute: () => root,
  path: '/agents',
  validateSearch: (search: Search): { q?: string | undefined } => ({ q: text(search.q) }),
  component: lazyRouteComponent(() => import('../pages/agents/agents'), 'Agents'),
});

const newAgent = createRoute({
  getParentRoute: () => root,
  path: '/agents/new',
  validateSearch: (search: Search): { url?: string | undefined } => ({ url: text(search.url) }),
  component: lazyRouteComponent(() => import('../pages/agents/register'), 'Register'),
});

const agent = createRoute({
  getParentRoute: () => root,
  path: '/agents/$agentId',
  validateSearch: (search: Search): { tab?: AgentTab | undefined } => ({ tab: oneOf(search.tab, AGENT_TABS) }),
  component: lazyRouteComponent(() => import('../pages/agents/agent'), 'AgentPage'),
});

const workflows = createRoute({
  getParentRoute: () => root,
  path: '/workflows',
  component: lazyRouteComponent(() => import('../pages/workflows/workflows'), 'Workflows'),
});

const browsers = createRoute({
  getParentRoute: () => root,
  path: '/browser',
  component: lazyRouteComponent(() => import('../pages/browser/browser'), 'Browser'),
});

const browser = createRoute({ getParentRoute: () => browsers, path: '/$sessionId' });

const insights = createRoute({
  getParentRoute: () => root,
  path: '/insights',
  validateSearch: (
    search: Search,
  ): { by?: Group | undefined; days?: number | undefined; view?: 'costs' | 'learned' | undefined } => ({
    view: oneOf(search.view, ['costs', 'learned'] as const),
    by: oneOf(search.by, GROUPS),
    days: typeof search.days === 'number' && search.days > 0 && search.days <= 366 ? search.days : undefined,
  }),
  component: lazyRouteComponent(() => import('../pages/insights/insights'), 'Insights'),
});

const settings = createRoute({
  getParentRoute: () => root,
  path: '/settings',
  component: lazyRouteComponent(() => import('../pages/settings/settings'), 'Settings'),
});

function NotFound() {
  return (
    <Page title="Not found">
      <Empty icon="search" title="There is no such page">
        <a href="/">Go to the start</a>
      </Empty>
    </Page>
  );
}

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    inbox,
    tasks,
    task.addChildren([step]),
    chats.addChildren([chat]),
    agents,
    newAgent,
    agent,
    workflows,
    browsers.addChildren([browser]),
    insights,
    settings,
  ]),
  defaultPreload: 'intent',
  defaultErrorComponent: ({ error, reset }) => (
    <div className="page">
      <div className="page-inner">
        <Problem error={error} again={reset} />
      </div>
    </div>
  ),
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
