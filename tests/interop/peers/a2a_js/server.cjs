// An agent made with @a2a-js/sdk, in the one dialect that is asked for: "JSONRPC 1.0", "HTTP+JSON 1.0", "JSONRPC 0.3".
const { randomUUID } = require("node:crypto");
const http = require("node:http");
const express = require("express");
const { Role, TaskState } = require("@a2a-js/sdk");
const { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } = require("@a2a-js/sdk/server");
const { UserBuilder, agentCardHandler, jsonRpcHandler, restHandler } = require("@a2a-js/sdk/server/express");

const [binding, version] = process.argv[2].split(" ");
const legacyCompat = { enabled: version === "0.3" };
const description = "Says it again; told to, it asks, waits or fails.";

const part = (text) => ({ content: { $case: "text", value: text }, metadata: undefined, filename: "", mediaType: "" });

class ScriptedExecutor {
  constructor() {
    this.waiting = new Map();
  }

  async execute(context, bus) {
    const { taskId, contextId, userMessage } = context;
    const text = userMessage.parts[0].content.value;
    const status = (state, said) => ({
      state,
      message: said && {
        messageId: randomUUID(), taskId, contextId, role: Role.ROLE_AGENT, parts: [part(said)],
        metadata: undefined, extensions: [], referenceTaskIds: [],
      },
      timestamp: new Date().toISOString(),
    });
    const tell = (state, said) =>
      bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: status(state, said), metadata: undefined }));
    bus.publish(AgentEvent.task(context.task ?? {
      id: taskId, contextId, status: status(TaskState.TASK_STATE_SUBMITTED), artifacts: [], history: [userMessage],
      metadata: undefined,
    }));
    tell(TaskState.TASK_STATE_WORKING, "working");
    if (text.includes("wait")) {
      await new Promise((resolve) => this.waiting.set(taskId, resolve));
      tell(TaskState.TASK_STATE_CANCELED);
    } else if (text.includes("fail")) {
      tell(TaskState.TASK_STATE_FAILED, "It broke.");
    } else if (text.includes("ask")) {
      tell(TaskState.TASK_STATE_INPUT_REQUIRED, "Which colour?");
    } else {
      const words = `<${text}>`.split(" ");
      words.forEach((word, index) => {
        const lastChunk = index === words.length - 1;
        bus.publish(AgentEvent.artifactUpdate({
          taskId, contextId, append: index > 0, lastChunk, metadata: undefined,
          artifact: {
            artifactId: "answer", name: "answer", description: "", parts: [part(lastChunk ? word : `${word} `)],
            metadata: undefined, extensions: [],
          },
        }));
      });
      tell(TaskState.TASK_STATE_COMPLETED);
    }
    bus.finished();
  }

  async cancelTask(taskId) {
    this.waiting.get(taskId)?.();
  }
}

const app = express();
const server = http.createServer(app).listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const card = {
    name: "a2a_js", description, version: "1.0.0", provider: undefined, documentationUrl: undefined, iconUrl: undefined,
    supportedInterfaces: [{ url, protocolBinding: binding, tenant: "", protocolVersion: version }],
    capabilities: { streaming: true, pushNotifications: false, extensions: [], extendedAgentCard: false },
    securitySchemes: {}, securityRequirements: [], signatures: [],
    defaultInputModes: ["text/plain"], defaultOutputModes: ["text/plain"],
    skills: [{
      id: "echo", name: "echo", description, tags: ["echo"], examples: [], inputModes: [], outputModes: [],
      securityRequirements: [],
    }],
  };
  const requestHandler = new DefaultRequestHandler(card, new InMemoryTaskStore(), new ScriptedExecutor());
  const options = { requestHandler, userBuilder: UserBuilder.noAuthentication, legacyCompat };
  app.use("/.well-known/agent-card.json", agentCardHandler({ agentCardProvider: requestHandler, legacyCompat }));
  app.use(binding === "JSONRPC" ? jsonRpcHandler(options) : restHandler(options));
  console.log(url);
});
