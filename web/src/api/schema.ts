// Made by `make types`; do not edit. OpenAPI document: sha256 752bb10a821a62703570234eee39db6346f278c14e9ab43963ddbf8dd96c30fe

export interface paths {
    "/api/agents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Registered agents
         * @description Answer the agents that fit every filter given.
         */
        get: operations["search_api_agents_get"];
        put?: never;
        /**
         * Register an agent
         * @description Fetch the agent's card, check it, and store the agent; the same endpoint again brings it up to date.
         */
        post: operations["register_api_agents_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/agents/discover": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who can do this?
         * @description Answer skills ranked for a need in plain words, with the reason; agents that are not reachable are left out.
         */
        get: operations["discover_api_agents_discover_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/agents/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Look at an agent without registering it
         * @description Fetch the card, check it and ask what the agent speaks, and answer what was found; nothing is stored.
         */
        post: operations["preview_api_agents_preview_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/agents/{agent_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * An agent
         * @description Answer the agent.
         */
        get: operations["find_api_agents__agent_id__get"];
        put?: never;
        post?: never;
        /**
         * Forget an agent
         * @description Remove it from the registry.
         */
        delete: operations["remove_api_agents__agent_id__delete"];
        options?: never;
        head?: never;
        /**
         * Change an agent
         * @description Change what is given: `inactive` keeps it from being chosen; with new credentials it is looked at again.
         */
        patch: operations["change_api_agents__agent_id__patch"];
        trace?: never;
    };
    "/api/agents/{agent_id}/accept": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Accept a new agent, or a changed card
         * @description Let a pending agent in, or take over the changed card of a quarantined one, and answer the agent.
         */
        post: operations["accept_api_agents__agent_id__accept_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/agents/{agent_id}/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How an agent was lately
         * @description Answer what health checks found, by quarters of an hour, for two days; and how its latest calls went.
         */
        get: operations["lately_api_agents__agent_id__health_get"];
        put?: never;
        /**
         * Check an agent now
         * @description Ask the agent how it is, and answer its health.
         */
        post: operations["check_api_agents__agent_id__health_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/agents/{agent_id}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send one message straight to an agent
         * @description Send the message, wait for its end, and answer the agent's A2A task.
         */
        post: operations["send_api_agents__agent_id__messages_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/agents/{agent_id}/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Fetch an agent's card again
         * @description Fetch and check the card, and answer the agent.
         */
        post: operations["refresh_api_agents__agent_id__refresh_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/agents/{agent_id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Let a suspended agent work again
         * @description End the suspension, and answer the agent.
         */
        post: operations["resume_api_agents__agent_id__resume_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/agents/{agent_id}/suspend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Stop an agent at once
         * @description Call the agent no more, end the steps that run at it, and answer the agent.
         */
        post: operations["suspend_api_agents__agent_id__suspend_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/agents/{agent_id}/try": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send one message to an agent, and see everything that goes over the wire
         * @description Answer server-sent events: `frame` for each message, then `end`. Who goes before the end cancels the task.
         */
        post: operations["try_agent_api_agents__agent_id__try_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/browser/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Browser sessions of the caller's tasks, newest first
         * @description Answer the open sessions and those that are kept; with `task_id`, only those that work for that task.
         */
        get: operations["search_api_browser_sessions_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/browser/sessions/{session_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A browser session with its steps
         * @description Answer the session.
         */
        get: operations["find_api_browser_sessions__session_id__get"];
        put?: never;
        post?: never;
        /**
         * Forget what is kept of a session that is over
         * @description Remove its recording, trace and thumbnails; 409 while it is open.
         */
        delete: operations["delete_api_browser_sessions__session_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/browser/sessions/{session_id}/control": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Take a session over
         * @description Hold the session's task and answer the token that mouse and keys are accepted with; 409 if someone has it.
         */
        post: operations["take_over_api_browser_sessions__session_id__control_post"];
        /**
         * Hand a session back
         * @description Let the session's task go on.
         */
        delete: operations["hand_back_api_browser_sessions__session_id__control_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/browser/sessions/{session_id}/recording": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The film of a session that is over
         * @description Answer the film: WebM, or animated WebP.
         */
        get: operations["recording_api_browser_sessions__session_id__recording_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/browser/sessions/{session_id}/thumbnails/{number}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What the page looked like after a step
         * @description Answer a small picture (WebP).
         */
        get: operations["thumbnail_api_browser_sessions__session_id__thumbnails__number__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/browser/sessions/{session_id}/trace": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Playwright's trace of a session that is over
         * @description Answer the trace, a ZIP archive for the trace viewer.
         */
        get: operations["trace_api_browser_sessions__session_id__trace_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/browser/sessions/{session_id}/view": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A page that shows a session live
         * @description Answer the page; it loads nothing from elsewhere.
         */
        get: operations["view_api_browser_sessions__session_id__view_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/browser/trace-viewer/{path}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Playwright's trace viewer
         * @description Answer a file of the viewer: `index.html?trace=ADDRESS` shows the trace of a session, and nothing else.
         */
        get: operations["trace_viewer_api_browser_trace_viewer__path__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/inputs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What people are asked, by any task, oldest first
         * @description Answer the questions that nobody has answered yet.
         */
        get: operations["list_questions_api_inputs_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/learned-plans": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Plans that succeeded and are used again, newest first
         * @description Answer the caller's learned plans: the request, the steps, how often they succeeded.
         */
        get: operations["search_api_learned_plans_get"];
        put?: never;
        post?: never;
        /**
         * Forget all learned plans
         * @description Forget them; tasks stay as they are, and the next ones are planned anew.
         */
        delete: operations["clear_api_learned_plans_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/learned-plans/{plan_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A learned plan
         * @description Answer the learned plan.
         */
        get: operations["find_api_learned_plans__plan_id__get"];
        put?: never;
        post?: never;
        /**
         * Forget a learned plan
         * @description Forget it; the next request like it is planned anew.
         */
        delete: operations["forget_api_learned_plans__plan_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/push/{task_id}/{step_id}/{number}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Take an agent's push notification as a hint
         * @description Wake the step that this attempt belongs to. What the body says is not read: anyone could have written it.
         */
        post: operations["hint_api_push__task_id___step_id___number__post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Sessions, newest first
         * @description Answer the caller's sessions.
         */
        get: operations["search_api_sessions_get"];
        put?: never;
        /**
         * Begin a session
         * @description Store a session; tasks that name it are planned with what was said in it.
         */
        post: operations["create_api_sessions_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sessions/{session_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A session
         * @description Answer the session.
         */
        get: operations["find_api_sessions__session_id__get"];
        put?: never;
        post?: never;
        /**
         * Forget a session and its messages
         * @description Remove it; its tasks stay.
         */
        delete: operations["delete_api_sessions__session_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sessions/{session_id}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What was said, oldest first
         * @description Answer the session's messages.
         */
        get: operations["list_messages_api_sessions__session_id__messages_get"];
        put?: never;
        /**
         * Add a message
         * @description Store a message; no task is made of it.
         */
        post: operations["add_message_api_sessions__session_id__messages_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Search tasks, newest first
         * @description Answer the tasks that fit every filter given.
         */
        get: operations["search_api_tasks_get"];
        put?: never;
        /**
         * Submit a task
         * @description Accept a task. With `Prefer: wait=N`, answer when it is over or needs input, or after N seconds.
         */
        post: operations["submit_api_tasks_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tasks/{task_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A task with its steps
         * @description Answer the task.
         */
        get: operations["find_api_tasks__task_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tasks/{task_id}/artifacts/{artifact_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The bytes of an artifact
         * @description Answer the bytes with their media type; what a browser could run comes as a download.
         */
        get: operations["read_artifact_api_tasks__task_id__artifacts__artifact_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tasks/{task_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a task and its remote tasks
         * @description Cancel it; 409 when it is over.
         */
        post: operations["cancel_api_tasks__task_id__cancel_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tasks/{task_id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What happens in a task, from the beginning, then live
         * @description Answer server-sent events; with `Accept: application/json`, those so far as a list.
         */
        get: operations["follow_api_tasks__task_id__events_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tasks/{task_id}/fork": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Do a step of a task that is over again, and all that depends on it, as a new task
         * @description Accept a new task with the same plan that keeps what the other completed steps brought.
         */
        post: operations["fork_api_tasks__task_id__fork_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tasks/{task_id}/input": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answer what a task waits for
         * @description Answer a pending input, once; 409 when it was answered already, or has expired.
         */
        post: operations["answer_api_tasks__task_id__input_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tasks/{task_id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Do what a task that is over left undone, as a new task
         * @description Accept a new task with the same plan that keeps what the completed steps brought; 409 if nothing is left to do.
         *
         *     A task that ended before it had a plan is planned anew.
         */
        post: operations["retry_api_tasks__task_id__retry_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tasks/{task_id}/steps/{step_id}/wire": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What passed between us and a step's agents
         * @description Answer what each try of the step said and heard, and what its agent says now of its task.
         */
        get: operations["of_step_api_tasks__task_id__steps__step_id__wire_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tests": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Page tests, newest first
         * @description Answer the caller's tests with their last runs.
         */
        get: operations["search_api_tests_get"];
        put?: never;
        /**
         * Keep a page test
         * @description Store the test; with `cron` it runs by itself from now on.
         */
        post: operations["create_api_tests_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tests/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Run a page test that is not kept
         * @description Run it and answer how it went; with `Prefer: respond-async`, at once the task that runs it.
         */
        post: operations["run_passing_api_tests_run_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tests/{test_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A page test with its last runs
         * @description Answer the test.
         */
        get: operations["find_api_tests__test_id__get"];
        put?: never;
        post?: never;
        /**
         * Forget a page test and its history
         * @description Remove it; the tasks that were its runs stay.
         */
        delete: operations["delete_api_tests__test_id__delete"];
        options?: never;
        head?: never;
        /**
         * Change a page test
         * @description Change what is given; `"cron": null` ends its schedule.
         */
        patch: operations["change_api_tests__test_id__patch"];
        trace?: never;
    };
    "/api/tests/{test_id}/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Run a page test
         * @description Run it and answer how it went; with `Prefer: respond-async`, at once the task that runs it.
         */
        post: operations["run_api_tests__test_id__run_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tests/{test_id}/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The history of a page test, newest first
         * @description Answer its runs.
         */
        get: operations["list_runs_api_tests__test_id__runs_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tests/{test_id}/runs/{task_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A run of a page test, as JSON or JUnit XML
         * @description Answer the run; with `Accept: application/xml` as a JUnit report, once it is over.
         */
        get: operations["find_run_api_tests__test_id__runs__task_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What calls of models cost, and which were saved
         * @description Answer tokens, calls and cost by group, and in all: the same numbers that the tasks themselves show.
         */
        get: operations["read_api_usage_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * Acceptance
         * @description Which card is accepted: `card_hash` of the agent, or of its quarantine, as it was looked at.
         */
        Acceptance: {
            /**
             * Card Hash
             * @description If another card waits by now: 409.
             */
            card_hash?: string | null;
        };
        /**
         * Agent
         * @description A registered agent.
         */
        Agent: {
            /**
             * Agent Type
             * @enum {string}
             */
            agent_type: "a2a_server" | "langgraph" | "api" | "browser";
            /** Capabilities */
            capabilities: string[];
            /** Card */
            card: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Card Hash */
            card_hash: string;
            /** Config */
            config: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Created At */
            created_at: string;
            /** Description */
            description: string;
            /** Endpoint */
            endpoint: string;
            /** Grade */
            grade: string | null;
            health: components["schemas"]["Health"];
            /** Id */
            id: string;
            /** Metadata */
            metadata: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Name */
            name: string;
            /** Protocol */
            protocol: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            quarantine: components["schemas"]["Quarantine"] | null;
            /** Skills */
            skills: components["schemas"]["SkillOfAgent"][];
            /**
             * Source
             * @enum {string}
             */
            source: "api" | "file" | "template";
            /**
             * Status
             * @enum {string}
             */
            status: "active" | "inactive" | "error" | "pending" | "quarantined" | "suspended";
            /** Updated At */
            updated_at: string;
            verification: components["schemas"]["Verification"] | null;
        };
        /**
         * AgentChange
         * @description What to change of an agent; what is left out stays.
         * @example {
         *       "status": "inactive"
         *     }
         */
        AgentChange: {
            /** Config */
            config?: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /**
             * Credentials
             * @description By the names of the card's security schemes; or one alone, for the one that it fits.
             */
            credentials?: (components["schemas"]["ApiKey"] | components["schemas"]["BearerToken"] | components["schemas"]["BasicLogin"] | components["schemas"]["OAuthClient"] | components["schemas"]["OpenIdClient"] | components["schemas"]["ClientCertificate"]) | {
                [key: string]: components["schemas"]["ApiKey"] | components["schemas"]["BearerToken"] | components["schemas"]["BasicLogin"] | components["schemas"]["OAuthClient"] | components["schemas"]["OpenIdClient"] | components["schemas"]["ClientCertificate"];
            } | null;
            /**
             * Credentials Origin
             * @description Where they are sent; default: the endpoint's origin.
             */
            credentials_origin?: string | null;
            /** Description */
            description?: string | null;
            /**
             * Headers
             * @description Headers to send to the agent as they are.
             */
            headers?: {
                [key: string]: string;
            } | null;
            /** Metadata */
            metadata?: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /** Name */
            name?: string | null;
            /** Status */
            status?: ("active" | "inactive") | null;
        };
        /**
         * AgentRecord
         * @description How an agent's latest calls went, and those for each of its skills.
         */
        AgentRecord: {
            /** Calls */
            calls: number;
            /** Cost Usd */
            cost_usd: number;
            /** Duration Ms */
            duration_ms: number;
            /** Failures */
            failures: number;
            /** Score */
            score: number | null;
            /** Scored */
            scored: number;
            /** Skills */
            skills: {
                [key: string]: components["schemas"]["CallRecord"];
            };
        };
        /**
         * AgentRegistration
         * @description An agent to register: its address, or its card.
         * @example {
         *       "endpoint": "http://127.0.0.1:9900"
         *     }
         */
        AgentRegistration: {
            /** Agent Type */
            agent_type?: ("a2a_server" | "langgraph" | "api" | "browser") | null;
            /** Capabilities */
            capabilities?: string[] | null;
            /** Card */
            card?: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /** Config */
            config?: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /**
             * Credentials
             * @description By the names of the card's security schemes; or one alone, for the one that it fits.
             */
            credentials?: (components["schemas"]["ApiKey"] | components["schemas"]["BearerToken"] | components["schemas"]["BasicLogin"] | components["schemas"]["OAuthClient"] | components["schemas"]["OpenIdClient"] | components["schemas"]["ClientCertificate"]) | {
                [key: string]: components["schemas"]["ApiKey"] | components["schemas"]["BearerToken"] | components["schemas"]["BasicLogin"] | components["schemas"]["OAuthClient"] | components["schemas"]["OpenIdClient"] | components["schemas"]["ClientCertificate"];
            } | null;
            /**
             * Credentials Origin
             * @description Where they are sent; default: the endpoint's origin.
             */
            credentials_origin?: string | null;
            /** Description */
            description?: string | null;
            /**
             * Endpoint
             * @description Base URL, or the card's.
             */
            endpoint?: string | null;
            /**
             * Headers
             * @description Headers to send to the agent as they are.
             */
            headers?: {
                [key: string]: string;
            } | null;
            /** Metadata */
            metadata?: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /** Name */
            name?: string | null;
        };
        /**
         * AgentSays
         * @description What an agent answered where several were asked; answers of the same `group` say the same.
         */
        AgentSays: {
            /** Agent */
            agent: string;
            /** Group */
            group: number;
            /** Text */
            text: string;
        };
        /**
         * ApiKey
         * @description A key in a header, in the address or in a cookie; what the card says of it need not be repeated.
         */
        ApiKey: {
            /** Location */
            location?: ("header" | "query" | "cookie") | null;
            /** Name */
            name?: string | null;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "api_key";
            /**
             * Value
             * Format: password
             */
            value: string;
        };
        /**
         * AttemptOfStep
         * @description One try of a step with one agent. Where a step has several answers: `part` says for which, `answer` what came.
         */
        AttemptOfStep: {
            /** Agent Id */
            agent_id: string;
            /** Agent Name */
            agent_name: string | null;
            answer?: components["schemas"]["PartialAnswer"] | null;
            /** Ended At */
            ended_at: string | null;
            error: components["schemas"]["Failure"] | null;
            /** Part */
            part?: string | null;
            /** Remote Task Id */
            remote_task_id: string | null;
            /** Started At */
            started_at: string;
            /** Why */
            why: string | null;
        };
        /**
         * BasicLogin
         * @description A user name and password.
         */
        BasicLogin: {
            /**
             * Password
             * Format: password
             */
            password: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "basic";
            /** Username */
            username: string;
        };
        /**
         * BearerToken
         * @description A token that is sent as it is.
         */
        BearerToken: {
            /**
             * Token
             * Format: password
             */
            token: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "bearer";
        };
        /**
         * BrowserSession
         * @description A browser session, with the caller's task and step that it works for.
         */
        BrowserSession: {
            /** Closed At */
            closed_at: string | null;
            /** Expires At */
            expires_at: string | null;
            /**
             * Held
             * @default false
             */
            held: boolean;
            /** Id */
            id: string;
            /**
             * Opened At
             * Format: date-time
             */
            opened_at: string;
            recording: components["schemas"]["KeptFile"] | null;
            /** Remote Task Id */
            remote_task_id: string;
            /**
             * Status
             * @default open
             * @enum {string}
             */
            status: "open" | "closed";
            /** Step Id */
            step_id: string;
            /**
             * Steps
             * @default []
             */
            steps: components["schemas"]["BrowserStep"][];
            /** Task Id */
            task_id: string;
            /**
             * Title
             * @default
             */
            title: string;
            trace: components["schemas"]["KeptFile"] | null;
            /**
             * Url
             * @default
             */
            url: string;
            /**
             * @default {
             *       "height": 800,
             *       "width": 1280
             *     }
             */
            viewport: components["schemas"]["Viewport"];
        };
        /**
         * BrowserStep
         * @description An action of a session, and how it went. `thumbnail`: there is a picture of the page after it.
         */
        BrowserStep: {
            /** Description */
            description: string;
            /** Duration Ms */
            duration_ms: number | null;
            /** Error */
            error: string | null;
            /** Number */
            number: number;
            /**
             * Started At
             * Format: date-time
             */
            started_at: string;
            /**
             * Status
             * @default running
             * @enum {string}
             */
            status: "running" | "passed" | "failed";
            /**
             * Thumbnail
             * @default false
             */
            thumbnail: boolean;
            /**
             * Url
             * @default
             */
            url: string;
        };
        /**
         * Budget
         * @description What a task may spend; what is left out is unlimited.
         * @example {
         *       "cost_usd": 0.5,
         *       "depth": 2,
         *       "tokens": 100000
         *     }
         */
        Budget: {
            /** Cost Usd */
            cost_usd?: number | null;
            /**
             * Depth
             * @description How many levels of sub-tasks agents may start.
             */
            depth?: number | null;
            /** Seconds */
            seconds?: number | null;
            /** Steps */
            steps?: number | null;
            /** Tokens */
            tokens?: number | null;
        };
        /**
         * CallRecord
         * @description How calls went: `duration_ms` and `cost_usd` are the usual ones, `score` is what judged answers were worth.
         */
        CallRecord: {
            /** Calls */
            calls: number;
            /** Cost Usd */
            cost_usd: number;
            /** Duration Ms */
            duration_ms: number;
            /** Failures */
            failures: number;
            /** Score */
            score: number | null;
            /** Scored */
            scored: number;
        };
        /**
         * CardChange
         * @description One difference between the card that was accepted and the new one.
         */
        CardChange: {
            after: components["schemas"]["JsonValue"];
            before: components["schemas"]["JsonValue"];
            /** Field */
            field: string;
        };
        /**
         * ClientCertificate
         * @description A client certificate with its key, both PEM; `ca` is who signed the agent's own, if it is nobody known.
         */
        ClientCertificate: {
            /** Ca */
            ca?: string | null;
            /**
             * Certificate
             * Format: password
             */
            certificate: string;
            /**
             * Key
             * Format: password
             */
            key: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "mtls";
        };
        /**
         * ConsensusReport
         * @description How one answer was made of several: `method` was wished for, `decided_by` says what decided.
         *
         *     `agreed` of those `asked` said what most said; `silent` tells of those that did not answer; `reasons` are a judge's.
         */
        ConsensusReport: {
            /** Agreed */
            agreed: number;
            /** Answers */
            answers: components["schemas"]["AgentSays"][];
            /** Asked */
            asked: number;
            /**
             * Decided By
             * @enum {string}
             */
            decided_by: "majority" | "model" | "union";
            /** Disagreement */
            disagreement: boolean;
            /**
             * Method
             * @enum {string}
             */
            method: "vote" | "judge" | "merge";
            /** Reasons */
            reasons?: string | null;
            /** Silent */
            silent: string[];
        };
        /**
         * Control
         * @description What mouse and keys are accepted with from who has taken a session over.
         */
        Control: {
            /** Token */
            token: string;
        };
        /**
         * CriterionScore
         * @description How well an answer meets a criterion, from 0 to 1, and why.
         */
        CriterionScore: {
            /**
             * By
             * @enum {string}
             */
            by: "check" | "model";
            /** Criterion */
            criterion: string;
            /** Reason */
            reason: string;
            /** Score */
            score: number;
        };
        /**
         * Deadlines
         * @description How long a task may wait for what, in seconds; what is left out is as the settings say.
         * @example {
         *       "connect_s": 5,
         *       "gap_s": 120,
         *       "task_s": 7200
         *     }
         */
        Deadlines: {
            /**
             * Connect S
             * @description For a connection to an agent.
             */
            connect_s?: number | null;
            /**
             * First Byte S
             * @description For the first byte of an agent's answer.
             */
            first_byte_s?: number | null;
            /**
             * Gap S
             * @description Between two events of an agent.
             */
            gap_s?: number | null;
            /**
             * Step S
             * @description For a step; a step's own `timeout_s` goes first.
             */
            step_s?: number | null;
            /**
             * Task S
             * @description For the whole task, without the time it waits for people.
             */
            task_s?: number | null;
        };
        /**
         * DirectMessage
         * @description A message straight to one agent.
         * @example {
         *       "text": "Compute 2 + 2."
         *     }
         */
        DirectMessage: {
            /** Text */
            text: string;
        };
        /**
         * Evaluation
         * @description What an answer has to be like, and what happens if it is not.
         *
         *     Each criterion gets a score from 0 to 1. Without `threshold` each has to be met; with one, their mean has to reach
         *     it. An answer that is not good enough is asked for again with the critique, up to `max_rounds` answers in all; if
         *     none is, the step fails, or keeps the best one (`unmet: keep`).
         * @example {
         *       "criteria": [
         *         "at most 100 words",
         *         "mentions \"Oslo\""
         *       ],
         *       "max_rounds": 3
         *     }
         */
        Evaluation: {
            /**
             * Criteria
             * @description Checks such as `contains "total"`, `at most 100 words`, `is valid JSON`; a model judges others.
             */
            criteria: string[];
            /**
             * Max Rounds
             * @description Answers that are asked for, at most.
             * @default 3
             */
            max_rounds: number;
            /**
             * Threshold
             * @description What the mean of the scores has to reach.
             */
            threshold?: number | null;
            /**
             * Unmet
             * @description What happens if no answer is good enough: fail, or keep the best one.
             * @default fail
             * @enum {string}
             */
            unmet: "fail" | "keep";
        };
        /**
         * EvaluationReport
         * @description How an answer, or a task's result, was judged in a round.
         */
        EvaluationReport: {
            /** Criteria */
            criteria: components["schemas"]["CriterionScore"][];
            /** Passed */
            passed: boolean;
            /** Round */
            round: number;
            /** Score */
            score: number;
            /** Threshold */
            threshold: number | null;
        };
        /**
         * EventPage
         * @description A task's events so far.
         */
        EventPage: {
            /** Items */
            items: (components["schemas"]["TaskStatusEvent"] | components["schemas"]["PlanCreatedEvent"] | components["schemas"]["PlanRevisedEvent"] | components["schemas"]["StepStatusEvent"] | components["schemas"]["StepProgressEvent"] | components["schemas"]["StepOutputEvent"] | components["schemas"]["StepArtifactEvent"] | components["schemas"]["InputRequiredEvent"] | components["schemas"]["InputAnsweredEvent"] | components["schemas"]["UsageEvent"] | components["schemas"]["ResultDeltaEvent"] | components["schemas"]["TaskEvaluatedEvent"] | components["schemas"]["TaskResultEvent"])[];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /**
         * Failure
         * @description Why something failed: `detail` is a sentence for people.
         */
        Failure: {
            /** Detail */
            detail: string;
            /**
             * Retryable
             * @default false
             */
            retryable: boolean;
            /** Title */
            title: string;
            /** Type */
            type: string;
        };
        /**
         * FileOfTask
         * @description A file that a task brought along (`step_id` null) or that a step produced; `url` leads to its bytes.
         */
        FileOfTask: {
            /** Id */
            id: string;
            /** Media Type */
            media_type: string;
            /** Name */
            name: string;
            /** Sha256 */
            sha256: string;
            /** Size Bytes */
            size_bytes: number;
            /** Step Id */
            step_id: string | null;
            /** Url */
            url: string;
        };
        /**
         * Finding
         * @description One thing that was found about an agent's card, or at its address.
         */
        Finding: {
            /** Clause */
            clause: string;
            /**
             * Severity
             * @enum {string}
             */
            severity: "error" | "warning" | "note";
            /** Text */
            text: string;
            /** Where */
            where: string;
        };
        /**
         * Frame
         * @description One message on the wire: JSON as it was sent, or text where it is none. `headers` hide what is secret.
         */
        Frame: {
            /** After Ms */
            after_ms: number;
            content: components["schemas"]["JsonValue"];
            /**
             * Direction
             * @enum {string}
             */
            direction: "sent" | "received";
            /** Headers */
            headers?: {
                [key: string]: string;
            } | null;
            /** Method */
            method?: string | null;
            /** Operation */
            operation: string;
            /** Url */
            url?: string | null;
        };
        /**
         * Grade
         * @description How well an agent keeps to the protocol, A to F.
         */
        Grade: {
            /** Letter */
            letter: string;
            /** Reasons */
            reasons: components["schemas"]["GradeReason"][];
        };
        /**
         * GradeReason
         * @description How many points an agent has for what.
         */
        GradeReason: {
            /** Part */
            part: string;
            /** Points */
            points: number;
            /** Text */
            text: string;
        };
        /**
         * Health
         * @description How an agent was when it was asked last.
         */
        Health: {
            /** Checked At */
            checked_at: string;
            /** Error */
            error: string | null;
            /** Latency Ms */
            latency_ms: number | null;
            /**
             * State
             * @enum {string}
             */
            state: "healthy" | "unreachable";
        };
        /**
         * HealthSpan
         * @description How an agent was in the quarter of an hour that begins `at`; `latency_ms` is the mean of the good answers.
         */
        HealthSpan: {
            /** At */
            at: string;
            /** Checks */
            checks: number;
            /** Error */
            error: string | null;
            /** Failures */
            failures: number;
            /** Latency Ms */
            latency_ms: number | null;
        };
        /**
         * InputAnsweredEvent
         * @description A question was answered, or nobody did in time.
         */
        InputAnsweredEvent: {
            /** Approve */
            approve: boolean | null;
            /** At */
            at: string;
            /** Comment */
            comment: string | null;
            /** Expired */
            expired: boolean | null;
            /** Input Id */
            input_id: string;
            /** Seq */
            seq: number;
            /** Task Id */
            task_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "input.answered";
        };
        /**
         * InputRequiredEvent
         * @description A person is asked.
         */
        InputRequiredEvent: {
            /** At */
            at: string;
            /** Expires At */
            expires_at: string | null;
            /** Input Id */
            input_id: string;
            /**
             * Kind
             * @enum {string}
             */
            kind: "agent" | "auth" | "plan" | "step";
            /** Prompt */
            prompt: string;
            /** Schema */
            schema: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /** Seq */
            seq: number;
            /** Step Id */
            step_id: string | null;
            /** Task Id */
            task_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "input.required";
        };
        JsonValue: unknown;
        /**
         * KeptFile
         * @description A file that is kept: what it is, and how large.
         */
        KeptFile: {
            /** Media Type */
            media_type: string;
            /** Size Bytes */
            size_bytes: number;
        };
        /**
         * LearnedPlan
         * @description A request, and the steps that fulfilled it; `task_id` is the last task that they did.
         */
        LearnedPlan: {
            /** Created At */
            created_at: string;
            /** Failures */
            failures: number;
            /** Goal */
            goal: string;
            /** Id */
            id: string;
            /** Steps */
            steps: {
                [key: string]: components["schemas"]["JsonValue"];
            }[];
            /** Successes */
            successes: number;
            /** Task Id */
            task_id: string;
            /** Used At */
            used_at: string;
        };
        /**
         * Match
         * @description A skill that fits a need.
         */
        Match: {
            agent: components["schemas"]["NamedAgent"];
            /** Score */
            score: number;
            /** Skill */
            skill: string;
            /** Why */
            why: string;
        };
        /**
         * Message
         * @description A turn of a conversation.
         */
        Message: {
            /** Content */
            content: string;
            /** Created At */
            created_at: string;
            /** Id */
            id: string;
            /**
             * Role
             * @enum {string}
             */
            role: "user" | "assistant" | "system" | "agent";
            /** Task Id */
            task_id: string | null;
        };
        /**
         * NamedAgent
         * @description An agent's id and name.
         */
        NamedAgent: {
            /** Id */
            id: string;
            /** Name */
            name: string;
        };
        /**
         * NewAnswer
         * @description An answer to a pending input: `text` or `data` for an agent, `approve` for a plan or a step.
         * @example {
         *       "input_id": "0190a7a4-0000-7000-8000-000000000000",
         *       "text": "Oslo"
         *     }
         * @example {
         *       "data": {
         *         "city": "Oslo"
         *       },
         *       "input_id": "0190a7a4-0000-7000-8000-000000000000"
         *     }
         * @example {
         *       "approve": false,
         *       "comment": "Not to everybody.",
         *       "input_id": "0190a7a4-0000-7000-8000-000000000000"
         *     }
         */
        NewAnswer: {
            /**
             * Approve
             * @description Whether the plan or step may run.
             */
            approve?: boolean | null;
            /**
             * Comment
             * @description Why, for those who read the log.
             */
            comment?: string | null;
            /** @description JSON that fits the `schema` of the question, if it has one. */
            data?: components["schemas"]["JsonValue"];
            /** Input Id */
            input_id: string;
            /** @description With `approve`, of a plan: run this one in its place. */
            plan?: components["schemas"]["Plan"] | null;
            /** Text */
            text?: string | null;
        };
        /**
         * NewFile
         * @description A file the task brings along.
         */
        NewFile: {
            /**
             * Content
             * @description The bytes, in Base64.
             * @example Y2l0eSxwcmljZQpPc2xvLDQyCg==
             */
            content: string;
            /**
             * Media Type
             * @default application/octet-stream
             * @example text/csv
             */
            media_type: string;
            /**
             * Name
             * @example sales.csv
             */
            name: string;
        };
        /**
         * NewFork
         * @description Where a task is done again from. `instruction` replaces what the step was told.
         * @example {
         *       "from_step": "sum",
         *       "instruction": "Summarize it in three sentences."
         *     }
         */
        NewFork: {
            /**
             * From Step
             * @description Id of a step in the task's plan.
             */
            from_step: string;
            /**
             * Instruction
             * @description What the step is told instead; it may refer to other steps as a plan does.
             */
            instruction?: string | null;
        };
        /**
         * NewMessage
         * @description A turn to add to a conversation.
         * @example {
         *       "content": "Hello",
         *       "role": "user"
         *     }
         */
        NewMessage: {
            /** Content */
            content: string;
            /**
             * Role
             * @enum {string}
             */
            role: "user" | "assistant" | "system" | "agent";
        };
        /**
         * NewSession
         * @description A conversation to begin.
         * @example {
         *       "user_id": "ada@example.org"
         *     }
         */
        NewSession: {
            /** Metadata */
            metadata?: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * Title
             * @default
             */
            title: string;
            /**
             * User Id
             * @description Stored only as a keyed hash.
             */
            user_id?: string | null;
        };
        /**
         * NewTask
         * @description A goal. `agent` skips planning and sends it there; `plan` is run as it is.
         * @example {
         *       "description": "Compute 17 * 23 in Python."
         *     }
         * @example {
         *       "budget": {
         *         "cost_usd": 0.5,
         *         "depth": 1
         *       },
         *       "callback_url": "https://example.org/hooks/federation",
         *       "deadlines": {
         *         "step_s": 600,
         *         "task_s": 7200
         *       },
         *       "description": "Summarize the report and send it out.",
         *       "plan": {
         *         "steps": [
         *           {
         *             "id": "sum",
         *             "instruction": "Summarize https://example.org/report",
         *             "skill": "summarize"
         *           },
         *           {
         *             "agent": "Mail",
         *             "approve": true,
         *             "id": "send",
         *             "input_timeout_s": 86400,
         *             "instruction": "Send it: {{ steps.sum.output }}"
         *           }
         *         ]
         *       }
         *     }
         */
        NewTask: {
            /**
             * Agent
             * @description Name or id of a registered agent.
             */
            agent?: string | null;
            /**
             * Approve Plan
             * @description Wait for a person before the plan is run.
             * @default false
             */
            approve_plan: boolean;
            budget?: components["schemas"]["Budget"];
            /**
             * Callback Url
             * @description Told by a signed webhook when the task ends or needs input (http or https).
             * @example https://example.org/hooks/federation
             */
            callback_url?: string | null;
            deadlines?: components["schemas"]["Deadlines"];
            /** Description */
            description: string;
            /** @description What the result has to be like: the last steps are done again with the critique until it is. */
            evaluate?: components["schemas"]["Evaluation"] | null;
            /** Files */
            files?: components["schemas"]["NewFile"][];
            /** Inputs */
            inputs?: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * Metadata
             * @description Anything of yours. `models` says which models to use, by role: `planner`, `research`, `summarize`, `code`, `judge`.
             * @example {
             *       "models": {
             *         "planner": "groq:openai/gpt-oss-20b"
             *       }
             *     }
             */
            metadata?: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            plan?: components["schemas"]["Plan"] | null;
            /**
             * Priority
             * @description 9 is most urgent.
             * @default 5
             */
            priority: number;
            /**
             * Replan
             * @description Whether a failed step may change the rest of the plan; null: only of a plan that was made here.
             */
            replan?: boolean | null;
            /** Session Id */
            session_id?: string | null;
            /**
             * User Id
             * @description Stored only as a keyed hash.
             */
            user_id?: string | null;
            /** Workflow */
            workflow?: string | null;
        };
        /**
         * NewTest
         * @description A page test to keep.
         * @example {
         *       "cron": "0 9 * * 1-5",
         *       "goal": "Verify the page loads and has a heading that says Example Domain",
         *       "name": "Home page",
         *       "timezone": "Europe/Oslo",
         *       "url": "https://example.com/"
         *     }
         */
        NewTest: {
            /**
             * Cron
             * @description Minute, hour, day, month, weekday; null: only on request.
             */
            cron?: string | null;
            /** Goal */
            goal: string;
            /** Name */
            name: string;
            /**
             * Timezone
             * @description IANA name of the zone that `cron` counts in.
             * @default UTC
             */
            timezone: string;
            /** Url */
            url: string;
        };
        /**
         * OAuthClient
         * @description A client of an OAuth 2 server: it gets a token by its credentials (RFC 6749, 4.4).
         */
        OAuthClient: {
            /** Client Id */
            client_id: string;
            /**
             * Client Secret
             * Format: password
             */
            client_secret: string;
            /** Scopes */
            scopes?: string[] | null;
            /**
             * Sent As
             * @default basic
             * @enum {string}
             */
            sent_as: "basic" | "post";
            /** Token Url */
            token_url?: string | null;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "oauth2";
        };
        /**
         * OpenIdClient
         * @description A client of an OpenID Connect server, whose token endpoint is found at `discovery_url`.
         */
        OpenIdClient: {
            /** Client Id */
            client_id: string;
            /**
             * Client Secret
             * Format: password
             */
            client_secret: string;
            /** Discovery Url */
            discovery_url?: string | null;
            /** Scopes */
            scopes?: string[] | null;
            /**
             * Sent As
             * @default basic
             * @enum {string}
             */
            sent_as: "basic" | "post";
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "openid";
        };
        /**
         * OpenQuestion
         * @description A question that nobody has answered, with its task, and what the step that asks was told to do.
         */
        OpenQuestion: {
            /** Agent Name */
            agent_name: string | null;
            /** Created At */
            created_at: string;
            /** Expires At */
            expires_at: string | null;
            /** Input Id */
            input_id: string;
            /** Instruction */
            instruction: string | null;
            /**
             * Kind
             * @enum {string}
             */
            kind: "agent" | "auth" | "plan" | "step";
            /** Path */
            path: string[];
            plan: components["schemas"]["TaskPlan"] | null;
            /** Prompt */
            prompt: string;
            /** Schema */
            schema: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /** Step Id */
            step_id: string | null;
            task: components["schemas"]["WaitingTask"];
        };
        /**
         * Origin
         * @description Which task this one repeats.
         */
        Origin: {
            /** From Step */
            from_step?: string | null;
            /**
             * Kind
             * @enum {string}
             */
            kind: "retry" | "fork";
            /** Task Id */
            task_id: string;
        };
        /** Page[Agent] */
        Page_Agent_: {
            /** Items */
            items: components["schemas"]["Agent"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /** Page[BrowserSession] */
        Page_BrowserSession_: {
            /** Items */
            items: components["schemas"]["BrowserSession"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /** Page[LearnedPlan] */
        Page_LearnedPlan_: {
            /** Items */
            items: components["schemas"]["LearnedPlan"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /** Page[OpenQuestion] */
        Page_OpenQuestion_: {
            /** Items */
            items: components["schemas"]["OpenQuestion"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /** Page[Session] */
        Page_Session_: {
            /** Items */
            items: components["schemas"]["Session"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /** Page[Task] */
        Page_Task_: {
            /** Items */
            items: components["schemas"]["Task"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /**
         * PartialAnswer
         * @description What one of several answers of a step says.
         */
        PartialAnswer: {
            /** Data */
            data: components["schemas"]["JsonValue"][] | null;
            /** Text */
            text: string | null;
        };
        /**
         * PassingTest
         * @description A page test to run once, and not to keep.
         * @example {
         *       "goal": "Verify the page loads",
         *       "url": "https://example.com/"
         *     }
         */
        PassingTest: {
            /** Goal */
            goal: string;
            /** Url */
            url: string;
        };
        /**
         * Plan
         * @description A directed acyclic graph of steps.
         */
        Plan: {
            /**
             * Id
             * @default
             */
            id: string;
            /**
             * Revision
             * @default 1
             */
            revision: number;
            /** Steps */
            steps: components["schemas"]["PlanStep"][];
            /**
             * Strategy
             * @default given
             * @enum {string}
             */
            strategy: "rules" | "llm" | "workflow" | "direct" | "given" | "learned";
        };
        /**
         * PlanCreatedEvent
         * @description The task has a plan.
         */
        PlanCreatedEvent: {
            /** At */
            at: string;
            plan: components["schemas"]["TaskPlan"];
            /** Seq */
            seq: number;
            /** Task Id */
            task_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "plan.created";
        };
        /**
         * PlanRevisedEvent
         * @description The rest of the plan changed.
         */
        PlanRevisedEvent: {
            /** At */
            at: string;
            plan: components["schemas"]["TaskPlan"];
            /** Reason */
            reason: string;
            /** Seq */
            seq: number;
            /** Task Id */
            task_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "plan.revised";
        };
        /**
         * PlanStep
         * @description One message to one agent.
         */
        PlanStep: {
            /**
             * Agent
             * @description Name or id of the agent; null: chosen at run time.
             */
            agent?: string | null;
            /**
             * Agents
             * @description How many answers of different agents are asked for at once, or the agents' names.
             * @example 3
             */
            agents?: number | string[] | null;
            /**
             * Approve
             * @description A person must approve the step before it starts.
             * @default false
             * @example true
             */
            approve: boolean;
            /**
             * Consensus
             * @description How those answers become one; vote, if only `agents` is given.
             * @example vote
             */
            consensus?: ("vote" | "judge" | "merge") | null;
            /**
             * Depends On
             * @description Ids of the steps that must complete first.
             */
            depends_on?: string[];
            /** @description What the answer has to be like; one that is not is asked for again with a critique. */
            evaluate?: components["schemas"]["Evaluation"] | null;
            /**
             * Id
             * @description Unique within the plan.
             */
            id: string;
            /**
             * Idempotent
             * @description True if doing it twice has the effect of doing it once.
             * @default false
             */
            idempotent: boolean;
            /**
             * Input Timeout S
             * @description How long a question of the step may wait for a person, in seconds; null: INPUT_TIMEOUT_S.
             * @example 86400
             */
            input_timeout_s?: number | null;
            /**
             * Inputs
             * @description Sent to the agent as JSON; `files` names the task's files to send, or refers to those of a step.
             */
            inputs?: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * Instruction
             * @description What the agent is told.
             */
            instruction: string;
            /**
             * Skill
             * @description Skill id the agent must have; null with `agent`: the agent decides.
             */
            skill?: string | null;
            /**
             * Step Number
             * @description Place in the plan, from 1; 0 lets the server number it.
             * @default 0
             */
            step_number: number;
            /**
             * Success Criteria
             * @description How one sees that the step succeeded.
             */
            success_criteria?: string | null;
            /**
             * Timeout S
             * @description Longest time for this step, in seconds.
             */
            timeout_s?: number | null;
        };
        /**
         * PlannedStep
         * @description A step as it was planned.
         */
        PlannedStep: {
            /** Agent */
            agent: string | null;
            /** Agents */
            agents?: number | string[] | null;
            /**
             * Approve
             * @default false
             */
            approve: boolean;
            /** Consensus */
            consensus?: ("vote" | "judge" | "merge") | null;
            /** Depends On */
            depends_on: string[];
            evaluate?: components["schemas"]["Evaluation"] | null;
            /** Id */
            id: string;
            /** Idempotent */
            idempotent?: boolean | null;
            /** Inputs */
            inputs?: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /** Instruction */
            instruction: string;
            /** Skill */
            skill: string | null;
            /** Step Number */
            step_number: number;
            /** Success Criteria */
            success_criteria?: string | null;
            /** Timeout S */
            timeout_s?: number | null;
        };
        /**
         * Preview
         * @description What was found about an agent that is not registered yet.
         */
        Preview: {
            /** Card */
            card: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Description */
            description: string;
            /** Endpoint */
            endpoint: string;
            /** Name */
            name: string;
            verification: components["schemas"]["Verification"];
        };
        /**
         * Quarantine
         * @description A changed card that waits to be accepted.
         */
        Quarantine: {
            /** Card */
            card: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Card Hash */
            card_hash: string;
            /** Changes */
            changes: components["schemas"]["CardChange"][];
            /** Found At */
            found_at: string;
            verification: components["schemas"]["Verification"] | null;
        };
        /**
         * Question
         * @description What a task waits for: a question to a person. `schema` is the form of the answer, if it has one.
         */
        Question: {
            /** Created At */
            created_at: string;
            /** Expires At */
            expires_at: string | null;
            /** Input Id */
            input_id: string;
            /**
             * Kind
             * @enum {string}
             */
            kind: "agent" | "auth" | "plan" | "step";
            /** Path */
            path: string[];
            /** Prompt */
            prompt: string;
            /** Schema */
            schema: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /** Step Id */
            step_id: string | null;
        };
        /**
         * ResultDeltaEvent
         * @description A piece of the result's summary, as it is written.
         */
        ResultDeltaEvent: {
            /** At */
            at: string;
            /** Seq */
            seq: number;
            /** Task Id */
            task_id: string;
            /** Text */
            text: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "result.delta";
        };
        /**
         * RoundOfStep
         * @description What was decided on the answers of a round: which were taken (ids of parts), why, and how they were judged.
         */
        RoundOfStep: {
            /**
             * Chosen
             * @default []
             */
            chosen: string[];
            consensus?: components["schemas"]["ConsensusReport"] | null;
            error?: components["schemas"]["Failure"] | null;
            evaluation?: components["schemas"]["EvaluationReport"] | null;
            /** Round */
            round: number;
            /**
             * Status
             * @enum {string}
             */
            status: "pending" | "running" | "input_required" | "completed" | "failed" | "skipped" | "canceled";
            /** Why */
            why?: string | null;
        };
        /**
         * RunTest
         * @description A run of a page test; `url` and `goal` count for this run only.
         * @example {
         *       "url": "https://staging.example.com/"
         *     }
         */
        RunTest: {
            /** Goal */
            goal?: string | null;
            /** Url */
            url?: string | null;
        };
        /**
         * Session
         * @description A conversation.
         */
        Session: {
            /** Created At */
            created_at: string;
            /** Id */
            id: string;
            /** Metadata */
            metadata: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Title */
            title: string;
            /** Updated At */
            updated_at: string;
            /** User Id */
            user_id: string | null;
        };
        /**
         * SkillOfAgent
         * @description What an agent's card says it can do.
         */
        SkillOfAgent: {
            /** Description */
            description: string;
            /** Examples */
            examples: string[];
            /** Id */
            id: string;
            /** Name */
            name: string;
            /** Tags */
            tags: string[];
        };
        /**
         * Spending
         * @description What calls of models cost together; the fields of the groups that were asked for say which.
         */
        Spending: {
            /** Agent */
            agent?: string | null;
            /** Cached Tokens */
            cached_tokens: number;
            /** Cost Usd */
            cost_usd: number;
            /** Day */
            day?: string | null;
            /** Input Tokens */
            input_tokens: number;
            /** Latency Ms */
            latency_ms: number | null;
            /** Llm Calls */
            llm_calls: number;
            /** Model */
            model?: string | null;
            /** Output Tokens */
            output_tokens: number;
            /** Role */
            role?: string | null;
            /** Saved Calls */
            saved_calls: number;
            /** Saved Usd */
            saved_usd: number;
            /** Task */
            task?: string | null;
            /** Tenant */
            tenant?: string | null;
            /** User */
            user?: string | null;
            /** Workflow */
            workflow?: string | null;
        };
        /**
         * Spent
         * @description What models cost.
         */
        Spent: {
            /** Cost Usd */
            cost_usd: number;
            /** Input Tokens */
            input_tokens: number;
            /** Llm Calls */
            llm_calls: number;
            /** Output Tokens */
            output_tokens: number;
        };
        /**
         * Step
         * @description A step, and how it went. `rounds`: what was decided on its answers, if it has several or they are judged.
         */
        Step: {
            /** Agent */
            agent: string | null;
            /** Agent Id */
            agent_id: string | null;
            /** Agent Name */
            agent_name: string | null;
            /** Agents */
            agents?: number | string[] | null;
            /**
             * Approve
             * @default false
             */
            approve: boolean;
            /** Artifacts */
            artifacts: components["schemas"]["FileOfTask"][];
            /** Attempts */
            attempts: components["schemas"]["AttemptOfStep"][];
            /** Completed At */
            completed_at: string | null;
            /** Consensus */
            consensus?: ("vote" | "judge" | "merge") | null;
            /** Depends On */
            depends_on: string[];
            error: components["schemas"]["Failure"] | null;
            evaluate?: components["schemas"]["Evaluation"] | null;
            /** Id */
            id: string;
            /** Idempotent */
            idempotent?: boolean | null;
            /** Inputs */
            inputs?: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /** Instruction */
            instruction: string;
            /** Kept From */
            kept_from: string | null;
            output_data: components["schemas"]["StepOutput"];
            /** Rounds */
            rounds?: components["schemas"]["RoundOfStep"][] | null;
            /** Skill */
            skill: string | null;
            /** Started At */
            started_at: string | null;
            /**
             * Status
             * @enum {string}
             */
            status: "pending" | "running" | "input_required" | "completed" | "failed" | "skipped" | "canceled";
            /** Step Number */
            step_number: number;
            /** Success Criteria */
            success_criteria?: string | null;
            /** Timeout S */
            timeout_s?: number | null;
            usage: components["schemas"]["Spent"] | null;
            /** Why Chosen */
            why_chosen: string | null;
        };
        /**
         * StepArtifactEvent
         * @description A step produced a file.
         */
        StepArtifactEvent: {
            artifact: components["schemas"]["FileOfTask"];
            /** At */
            at: string;
            /** Seq */
            seq: number;
            /** Step Id */
            step_id: string;
            /** Task Id */
            task_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "step.artifact";
        };
        /**
         * StepOutput
         * @description What a step said, and its data parts.
         */
        StepOutput: {
            /** Data */
            data: components["schemas"]["JsonValue"][] | null;
            /** Text */
            text: string | null;
        };
        /**
         * StepOutputEvent
         * @description What a step says; `append`: it goes on from the text before.
         */
        StepOutputEvent: {
            /** Append */
            append: boolean;
            /** At */
            at: string;
            /** Seq */
            seq: number;
            /** Step Id */
            step_id: string;
            /** Task Id */
            task_id: string;
            /** Text */
            text: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "step.output";
        };
        /**
         * StepProgressEvent
         * @description What a step does just now.
         */
        StepProgressEvent: {
            /** At */
            at: string;
            /** Seq */
            seq: number;
            /** Step Id */
            step_id: string;
            /** Task Id */
            task_id: string;
            /** Text */
            text: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "step.progress";
        };
        /**
         * StepStatusEvent
         * @description A step has another status.
         */
        StepStatusEvent: {
            /** Agent Name */
            agent_name: string | null;
            /** At */
            at: string;
            error: components["schemas"]["Failure"] | null;
            /** Kept From */
            kept_from: string | null;
            /** Seq */
            seq: number;
            /**
             * Status
             * @enum {string}
             */
            status: "pending" | "running" | "input_required" | "completed" | "failed" | "skipped" | "canceled";
            /** Step Id */
            step_id: string;
            /** Task Id */
            task_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "step.status";
            /** Why Chosen */
            why_chosen: string | null;
        };
        /**
         * StepTraffic
         * @description Each try of a step.
         */
        StepTraffic: {
            /** Items */
            items: components["schemas"]["Traffic"][];
        };
        /**
         * Task
         * @description A task with its steps. `files` came along with it; those that were made are its steps'.
         */
        Task: {
            /** Budget */
            budget: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Callback Url */
            callback_url: string | null;
            /** Completed At */
            completed_at: string | null;
            /** Created At */
            created_at: string;
            /** Deadlines */
            deadlines: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Descendants */
            descendants: string[];
            /** Description */
            description: string;
            error: components["schemas"]["Failure"] | null;
            /** Files */
            files: components["schemas"]["FileOfTask"][];
            /** Id */
            id: string;
            /** Metadata */
            metadata: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            origin: components["schemas"]["Origin"] | null;
            /** Parent Task Id */
            parent_task_id: string | null;
            /** Pending Inputs */
            pending_inputs: components["schemas"]["Question"][];
            plan: components["schemas"]["TaskPlan"] | null;
            /** Priority */
            priority: number;
            result: components["schemas"]["TaskResult"] | null;
            /** Root Task Id */
            root_task_id: string | null;
            /** Session Id */
            session_id: string | null;
            /** Started At */
            started_at: string | null;
            /**
             * Status
             * @enum {string}
             */
            status: "pending" | "planning" | "executing" | "input_required" | "completed" | "failed" | "canceled";
            /** Steps */
            steps: components["schemas"]["Step"][];
            /** Task Id */
            task_id: string;
            /** Trace Id */
            trace_id: string;
            usage: components["schemas"]["TaskUsage"];
            /** User Id */
            user_id: string | null;
        };
        /**
         * TaskEvaluatedEvent
         * @description The task's result was judged.
         */
        TaskEvaluatedEvent: {
            /** At */
            at: string;
            evaluation: components["schemas"]["EvaluationReport"];
            /** Seq */
            seq: number;
            /** Task Id */
            task_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "task.evaluated";
        };
        /**
         * TaskPlan
         * @description A task's plan in its newest revision.
         */
        TaskPlan: {
            /** Id */
            id: string;
            /** Revision */
            revision: number;
            /** Steps */
            steps: components["schemas"]["PlannedStep"][];
            /**
             * Strategy
             * @enum {string}
             */
            strategy: "rules" | "llm" | "workflow" | "direct" | "given" | "learned";
        };
        /**
         * TaskResult
         * @description What came of a task. `evaluation` and `rounds`: how it was judged, if that was asked for.
         */
        TaskResult: {
            /** Artifacts */
            artifacts: {
                [key: string]: components["schemas"]["JsonValue"];
            }[];
            evaluation?: components["schemas"]["EvaluationReport"] | null;
            /** Outputs */
            outputs: {
                [key: string]: components["schemas"]["JsonValue"];
            }[];
            /** Rounds */
            rounds?: components["schemas"]["EvaluationReport"][] | null;
            /** Summary */
            summary: string;
        };
        /**
         * TaskResultEvent
         * @description The task's result.
         */
        TaskResultEvent: {
            /** At */
            at: string;
            result: components["schemas"]["TaskResult"];
            /** Seq */
            seq: number;
            /** Task Id */
            task_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "task.result";
        };
        /**
         * TaskStatusEvent
         * @description The task has another status.
         */
        TaskStatusEvent: {
            /** At */
            at: string;
            error: components["schemas"]["Failure"] | null;
            /** Seq */
            seq: number;
            /**
             * Status
             * @enum {string}
             */
            status: "pending" | "planning" | "executing" | "input_required" | "completed" | "failed" | "canceled";
            /** Task Id */
            task_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "task.status";
        };
        /**
         * TaskUsage
         * @description What a task cost so far, and how often agents were called.
         */
        TaskUsage: {
            /**
             * Agent Calls
             * @default 0
             */
            agent_calls: number;
            /** Cost Usd */
            cost_usd: number;
            /** Input Tokens */
            input_tokens: number;
            /** Llm Calls */
            llm_calls: number;
            /** Output Tokens */
            output_tokens: number;
        };
        /**
         * TestChange
         * @description What of a page test is to be otherwise; what is left out stays.
         * @example {}
         */
        TestChange: {
            /**
             * Cron
             * @description Minute, hour, day, month, weekday; null: only on request.
             */
            cron?: string | null;
            /** Goal */
            goal?: string | null;
            /** Name */
            name?: string | null;
            /** Timezone */
            timezone?: string | null;
            /** Url */
            url?: string | null;
        };
        /**
         * Traffic
         * @description What passed between us and the agent of one try of a step. `part`: for which of several answers it was.
         *
         *     `told` is what was said, put together again from what is stored, and what the task's log says came of it;
         *     `left_out` entries of the log are not among them. `frames` is what the agent says now of the task that it has for
         *     the try; `error` why it does not.
         */
        Traffic: {
            /** Agent Name */
            agent_name: string | null;
            /** Attempt */
            attempt: number;
            /** Error */
            error: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /** Frames */
            frames: components["schemas"]["Frame"][];
            /** Left Out */
            left_out: number;
            /** Part */
            part: string | null;
            /** Remote Task Id */
            remote_task_id: string | null;
            /** Told */
            told: components["schemas"]["Frame"][];
        };
        /**
         * TrialMessage
         * @description A message to try an agent with. `task_id` and `context_id`, both, answer a task of its that waits for input.
         * @example {
         *       "skill": "run-code",
         *       "text": "Compute 2 + 2."
         *     }
         */
        TrialMessage: {
            /** Context Id */
            context_id?: string | null;
            data?: components["schemas"]["JsonValue"];
            /** Skill */
            skill?: string | null;
            /** Task Id */
            task_id?: string | null;
            /**
             * Text
             * @default
             */
            text: string;
        };
        /**
         * UsageEvent
         * @description What the task has cost so far.
         */
        UsageEvent: {
            /** At */
            at: string;
            /** Seq */
            seq: number;
            /** Task Id */
            task_id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "usage";
            usage: components["schemas"]["Spent"];
        };
        /**
         * UsagePage
         * @description Groups, and all of them together.
         */
        UsagePage: {
            /** Items */
            items: components["schemas"]["Spending"][];
            /** Next Cursor */
            next_cursor: string | null;
            total: components["schemas"]["Spending"];
        };
        /**
         * Verification
         * @description What was found when the agent was looked at last.
         */
        Verification: {
            /** Checked At */
            checked_at: string;
            /** Findings */
            findings: components["schemas"]["Finding"][];
            grade: components["schemas"]["Grade"];
            /** Probes */
            probes: {
                [key: string]: components["schemas"]["JsonValue"];
            }[];
            /** Signature */
            signature: {
                [key: string]: components["schemas"]["JsonValue"];
            };
        };
        /**
         * Viewport
         * @description How large a session's page is, in CSS pixels.
         */
        Viewport: {
            /**
             * Height
             * @default 800
             */
            height: number;
            /**
             * Width
             * @default 1280
             */
            width: number;
        };
        /**
         * WaitingTask
         * @description The task that a question is of.
         */
        WaitingTask: {
            /** Description */
            description: string;
            /** Id */
            id: string;
            /** Session Id */
            session_id: string | null;
            /**
             * Status
             * @enum {string}
             */
            status: "pending" | "planning" | "executing" | "input_required" | "completed" | "failed" | "canceled";
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    search_api_agents_get: {
        parameters: {
            query?: {
                /** @description A skill id or tag. */
                capability?: string | null;
                status?: ("active" | "inactive" | "error" | "pending" | "quarantined" | "suspended") | null;
                /** @description Words of what is needed. */
                q?: string | null;
                /** @description Most items to answer. */
                limit?: number;
                /** @description `next_cursor` of the page before. */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Agent_"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    register_api_agents_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AgentRegistration"];
            };
        };
        responses: {
            /** @description Brought up to date */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Agent"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    discover_api_agents_discover_get: {
        parameters: {
            query: {
                /** @description A need in plain words. */
                q: string;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Items */
                        items: components["schemas"]["Match"][];
                        /** Next Cursor */
                        next_cursor: string | null;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    preview_api_agents_preview_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AgentRegistration"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Preview"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    find_api_agents__agent_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Agent"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    remove_api_agents__agent_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    change_api_agents__agent_id__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AgentChange"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Agent"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    accept_api_agents__agent_id__accept_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Acceptance"] | null;
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Agent"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    lately_api_agents__agent_id__health_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Items */
                        items: components["schemas"]["HealthSpan"][];
                        /** Next Cursor */
                        next_cursor: string | null;
                        record: components["schemas"]["AgentRecord"] | null;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    check_api_agents__agent_id__health_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Checked At */
                        checked_at: string;
                        /** Error */
                        error: string | null;
                        /** Latency Ms */
                        latency_ms: number | null;
                        /**
                         * State
                         * @enum {string}
                         */
                        state: "healthy" | "unreachable";
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    send_api_agents__agent_id__messages_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DirectMessage"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: components["schemas"]["JsonValue"];
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    refresh_api_agents__agent_id__refresh_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Agent"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    resume_api_agents__agent_id__resume_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Agent"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    suspend_api_agents__agent_id__suspend_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Agent"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    try_agent_api_agents__agent_id__try_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TrialMessage"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": unknown;
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    search_api_browser_sessions_get: {
        parameters: {
            query?: {
                task_id?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_BrowserSession_"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    find_api_browser_sessions__session_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BrowserSession"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    delete_api_browser_sessions__session_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    take_over_api_browser_sessions__session_id__control_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Control"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    hand_back_api_browser_sessions__session_id__control_delete: {
        parameters: {
            query?: never;
            header: {
                /** @description What taking over answered. */
                "x-control-token": string;
            };
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    recording_api_browser_sessions__session_id__recording_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    thumbnail_api_browser_sessions__session_id__thumbnails__number__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
                number: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    trace_api_browser_sessions__session_id__trace_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    view_api_browser_sessions__session_id__view_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    trace_viewer_api_browser_trace_viewer__path__get: {
        parameters: {
            query?: {
                /** @description Address of a session's trace. */
                trace?: string[] | null;
            };
            header?: never;
            path: {
                path: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    list_questions_api_inputs_get: {
        parameters: {
            query?: {
                /** @description Most items to answer. */
                limit?: number;
                /** @description `next_cursor` of the page before. */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_OpenQuestion_"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    search_api_learned_plans_get: {
        parameters: {
            query?: {
                /** @description Most items to answer. */
                limit?: number;
                /** @description `next_cursor` of the page before. */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_LearnedPlan_"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    clear_api_learned_plans_delete: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    find_api_learned_plans__plan_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                plan_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LearnedPlan"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    forget_api_learned_plans__plan_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                plan_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    hint_api_push__task_id___step_id___number__post: {
        parameters: {
            query?: never;
            header?: {
                "X-A2A-Notification-Token"?: string;
            };
            path: {
                task_id: string;
                step_id: string;
                number: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Not an attempt with that token */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    search_api_sessions_get: {
        parameters: {
            query?: {
                /** @description Most items to answer. */
                limit?: number;
                /** @description `next_cursor` of the page before. */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Session_"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    create_api_sessions_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["NewSession"] | null;
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    find_api_sessions__session_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    delete_api_sessions__session_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    list_messages_api_sessions__session_id__messages_get: {
        parameters: {
            query?: {
                /** @description Most items to answer. */
                limit?: number;
                /** @description `next_cursor` of the page before. */
                cursor?: string | null;
            };
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Items */
                        items: components["schemas"]["Message"][];
                        /** Next Cursor */
                        next_cursor: string | null;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    add_message_api_sessions__session_id__messages_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewMessage"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Content */
                        content: string;
                        /** Created At */
                        created_at: string;
                        /** Id */
                        id: string;
                        /**
                         * Role
                         * @enum {string}
                         */
                        role: "user" | "assistant" | "system" | "agent";
                        /** Task Id */
                        task_id: string | null;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    search_api_tasks_get: {
        parameters: {
            query?: {
                /** @description One of these; repeatable. */
                status?: ("pending" | "planning" | "executing" | "input_required" | "completed" | "failed" | "canceled")[] | null;
                session_id?: string | null;
                user_id?: string | null;
                agent?: string | null;
                q?: string | null;
                since?: string | null;
                until?: string | null;
                /** @description Most items to answer. */
                limit?: number;
                /** @description `next_cursor` of the page before. */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Task_"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    submit_api_tasks_post: {
        parameters: {
            query?: never;
            header?: {
                "idempotency-key"?: string | null;
                prefer?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewTask"];
            };
        };
        responses: {
            /** @description Submitted before */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    find_api_tasks__task_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    read_artifact_api_tasks__task_id__artifacts__artifact_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task_id: string;
                artifact_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    cancel_api_tasks__task_id__cancel_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    follow_api_tasks__task_id__events_get: {
        parameters: {
            query?: {
                /** @description Begin after this event number. */
                after?: number | null;
                /** @description The same, as `next_cursor` gave it. */
                cursor?: number | null;
            };
            header?: {
                /** @description The same, as a browser says it. */
                "last-event-id"?: number | null;
            };
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EventPage"];
                    "text/event-stream": unknown;
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    fork_api_tasks__task_id__fork_post: {
        parameters: {
            query?: never;
            header?: {
                "idempotency-key"?: string | null;
                prefer?: string;
            };
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewFork"];
            };
        };
        responses: {
            /** @description Submitted before */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    answer_api_tasks__task_id__input_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewAnswer"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    retry_api_tasks__task_id__retry_post: {
        parameters: {
            query?: never;
            header?: {
                "idempotency-key"?: string | null;
                prefer?: string;
            };
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Submitted before */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    of_step_api_tasks__task_id__steps__step_id__wire_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task_id: string;
                step_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StepTraffic"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    search_api_tests_get: {
        parameters: {
            query?: {
                /** @description Most items to answer. */
                limit?: number;
                /** @description `next_cursor` of the page before. */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: components["schemas"]["JsonValue"];
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    create_api_tests_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewTest"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: components["schemas"]["JsonValue"];
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    run_passing_api_tests_run_post: {
        parameters: {
            query?: never;
            header?: {
                prefer?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PassingTest"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description Accepted: the task that runs it (Prefer: respond-async) */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    find_api_tests__test_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                test_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: components["schemas"]["JsonValue"];
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    delete_api_tests__test_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                test_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    change_api_tests__test_id__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                test_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TestChange"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: components["schemas"]["JsonValue"];
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    run_api_tests__test_id__run_post: {
        parameters: {
            query?: never;
            header?: {
                prefer?: string;
            };
            path: {
                test_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RunTest"] | null;
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description Accepted: the task that runs it (Prefer: respond-async) */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    list_runs_api_tests__test_id__runs_get: {
        parameters: {
            query?: {
                /** @description Most items to answer. */
                limit?: number;
                /** @description `next_cursor` of the page before. */
                cursor?: string | null;
            };
            header?: never;
            path: {
                test_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: components["schemas"]["JsonValue"];
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    find_run_api_tests__test_id__runs__task_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                test_id: string;
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
    read_api_usage_get: {
        parameters: {
            query?: {
                /** @description What to sum by, separated by commas: day, user, agent, model, tenant, workflow, role, task. */
                group_by?: string;
                /** @description Only calls from then on (RFC 3339). */
                since?: string | null;
                /** @description Only calls before then (RFC 3339). */
                until?: string | null;
                /** @description Most items to answer. */
                limit?: number;
                /** @description `next_cursor` of the page before. */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UsagePage"];
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
            /** @description What is wrong, as problem details (RFC 9457) */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": {
                        detail: string;
                        errors?: Record<string, never>[];
                        status: number;
                        title: string;
                        type: string;
                    };
                };
            };
        };
    };
}
