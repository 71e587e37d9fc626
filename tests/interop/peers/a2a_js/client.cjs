// Calls a service with @a2a-js/sdk's client, in one dialect, and prints a line of JSON for each case of the script.
const { randomUUID } = require("node:crypto");
const { Role, TaskState } = require("@a2a-js/sdk");
const {
  ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory, RestTransportFactory,
} = require("@a2a-js/sdk/client");

const LONGEST_MS = 30000;
const [url, dialect, script] = process.argv.slice(2);
const [binding, version] = dialect.split(" ");
const legacyCompat = { enabled: version === "0.3" };

const request = (text, task) => ({
  tenant: "", metadata: undefined, configuration: undefined,
  message: {
    messageId: randomUUID(), taskId: task?.id ?? "", contextId: task?.contextId ?? "", role: Role.ROLE_USER,
    parts: [{ content: { $case: "text", value: text }, metadata: undefined, filename: "", mediaType: "" }],
    metadata: undefined, extensions: [], referenceTaskIds: [],
  },
});
const texts = (parts) => parts.map((part) => (part.content?.$case === "text" ? part.content.value : "")).join("");
const found = (task) => ({
  state: TaskState[task.status.state],
  text: task.artifacts.map((artifact) => texts(artifact.parts)).join("\n"),
});

async function connect() {
  const card = await new DefaultAgentCardResolver({ legacyCompat }).resolve(url);
  card.supportedInterfaces = card.supportedInterfaces.filter(
    (each) => each.protocolBinding === binding && each.protocolVersion.startsWith(version),
  );
  const transports = [new JsonRpcTransportFactory({ legacyCompat }), new RestTransportFactory({ legacyCompat })];
  return new ClientFactory({ transports }).createFromAgentCard(card);
}

const cases = {
  async answer(client, text) {
    return found(await client.sendMessage(request(text)));
  },
  async stream(client, text) {
    const events = [];
    for await (const event of client.sendMessageStream(request(text))) events.push(event.payload);
    const task = await client.getTask({ tenant: "", id: events[0].value.id });
    return { ...found(task), events: events.length };
  },
  async ask(client, text, reply) {
    const asked = await client.sendMessage(request(text));
    const question = texts(asked.status.message?.parts ?? []);
    return { ...found(await client.sendMessage(request(reply, asked))), question };
  },
  async cancel(client, text) {
    for await (const event of client.sendMessageStream(request(text))) {
      const id = event.payload.value.id ?? event.payload.value.taskId;
      return found(await client.cancelTask({ tenant: "", id, metadata: undefined }));
    }
  },
};

async function main() {
  const client = await connect();
  for (const [name, said] of Object.entries(JSON.parse(script))) {
    const late = new Promise((_, reject) => setTimeout(reject, LONGEST_MS, new Error("It took too long.")).unref());
    const outcome = await Promise.race([cases[name](client, ...said), late]).catch((error) => ({
      error: `${error.name}: ${error.message}`.slice(0, 300),
    }));
    console.log(JSON.stringify({ case: name, ...outcome }));
  }
  process.exit(0);
}

main();
