// One run with the SDK of OpenTelemetry for JavaScript: FOLDER/javascript.console.txt is what its ConsoleSpanExporter prints,
// FOLDER/javascript.otlp.json the same spans as OTLP. Needs @opentelemetry/sdk-trace-base, resources and otlp-transformer.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { context, trace, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, ConsoleSpanExporter, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';

const folder = process.argv[2];
const printed = [];
console.dir = (value, options) => printed.push(inspect(value, { ...options, colors: false }));
const memory = new InMemorySpanExporter();
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'shop', 'service.version': '1.2' }),
  spanProcessors: [new SimpleSpanProcessor(new ConsoleSpanExporter()), new SimpleSpanProcessor(memory)],
});
const tracer = provider.getTracer('shop-tracer', '0.3');
const START = 1767258000000;
for (let number = 0; number < 2; number++) {
  const at = (ms) => START + 10000 * number + ms;
  const root = tracer.startSpan('POST /chat', { kind: SpanKind.SERVER, startTime: at(0), attributes: { 'session.id': "it's s-1", 'http.route': '/chat' } });
  const inside = trace.setSpan(context.active(), root);
  const search = tracer.startSpan('find', { kind: SpanKind.CLIENT, startTime: at(5), attributes: { 'openinference.span.kind': 'RETRIEVER', 'ids': ['a', 'b'] } }, inside);
  search.end(at(305));
  const call = tracer.startSpan('chat', { startTime: at(310), attributes: {
    'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'mist-7b', 'gen_ai.usage.input_tokens': 700, 'gen_ai.usage.output_tokens': 90,
    'gen_ai.response.time_to_first_chunk': 0.3, 'streamed': true,
    'input.value': 'Which jacket is warm enough for Norway?\nI\'d say "none" is, but then: ' + 'words '.repeat(20) + '`tick` {brace} \\ back',
  } }, inside);
  call.addEvent('first_token', { chunk: 1 }, at(610));
  call.end(at(1310));
  const tool = tracer.startSpan('orders', { startTime: at(1310), attributes: { 'gen_ai.operation.name': 'execute_tool' } }, inside);
  if (number) tool.setStatus({ code: SpanStatusCode.ERROR, message: 'no such order' });
  tool.end(at(1510));
  root.end(at(1520));
}
writeFileSync(join(folder, 'javascript.console.txt'), printed.join('\n') + '\n');
writeFileSync(join(folder, 'javascript.otlp.json'), Buffer.from(JsonTraceSerializer.serializeRequest(memory.getFinishedSpans())));
