// The Vercel AI SDK: an embedding, an agent's answer with a tool, and a streamed answer, over models that answer from here.
// node vercel.mjs OUT.jsonl ADDRESS
import fs from 'node:fs';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { createOpenAI } from '@ai-sdk/openai';
import * as ai from 'ai';
import { z } from 'zod';

const [out, address] = process.argv.slice(2);
const lines = {
  export(spans, done) {
    fs.appendFileSync(out, Buffer.from(JsonTraceSerializer.serializeRequest(spans)).toString() + '\n');
    done({ code: 0 });
  },
  shutdown: async () => {},
  forceFlush: async () => {},
};
let provider;
try {
  provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(lines)] });
} catch {
  provider = new NodeTracerProvider();
}
if (!provider.getActiveSpanProcessor && provider.addSpanProcessor) provider.addSpanProcessor(new SimpleSpanProcessor(lines));
provider.register();
const tracer = provider.getTracer('ai');
const openai = createOpenAI({ baseURL: `${address}/v1`, apiKey: 'none' });
const model = openai.chat ? openai.chat('gpt-4o-mini') : openai('gpt-4o-mini');
const embedding = (openai.textEmbeddingModel ?? openai.embedding)('text-embedding-3-small');
const telemetry = { isEnabled: true, functionId: 'chat', metadata: { sessionId: 'session-9', userId: 'user-3' }, tracer };
const schema = z.object({ city: z.string() });
const execute = async ({ city }) => {
  await new Promise((done) => setTimeout(done, 80));
  return `sunny in ${city}`;
};
const tools = { get_weather: ai.tool({ description: 'The weather of a city.', inputSchema: schema, parameters: schema, execute }) };
const steps = ai.stepCountIs ? { stopWhen: ai.stepCountIs(3) } : { maxSteps: 3 };

async function ask() {
  await tracer.startActiveSpan('POST /api/chat', async (span) => {
    await ai.embed({ model: embedding, value: 'weather', experimental_telemetry: telemetry });
    await ai.generateText({ model, prompt: 'weather?', tools, ...steps, experimental_telemetry: telemetry });
    const answer = ai.streamText({ model, prompt: 'weather?', experimental_telemetry: telemetry });
    for await (const _ of answer.textStream);
    span.end();
  });
}

await ask();
fs.writeFileSync(out, '');
await ask();
