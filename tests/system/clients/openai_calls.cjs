// Runs with the openai SDK of Node: what its client gets and raises, as JSON on standard output.
//
// NODE_PATH=.../node_modules node openai_calls.cjs URL
const OpenAI = require("openai");

const DRAWN = { model: "tiny", max_tokens: 40, seed: 3, temperature: 0.8, top_p: 0.95, stop: ["zz"] };
const client = new OpenAI({ baseURL: process.argv[2] + "/v1", apiKey: "none", maxRetries: 0 });

async function streamed() {
  const stream = await client.completions.create({
    ...DRAWN, prompt: "ab", stream: true, stream_options: { include_usage: true },
  });
  let text = "", usage = null;
  for await (const event of stream) {
    text += event.choices.map((choice) => choice.text).join("");
    usage = event.usage ?? usage;
  }
  return { text, usage };
}

async function raised(fields) {
  try {
    await client.completions.create({ model: "tiny", prompt: "a", ...fields });
  } catch (error) {
    return [error.constructor.name, error.status, error.code, error.param, error.type];
  }
  return ["nothing"];
}

async function main() {
  const whole = await client.completions.create({ ...DRAWN, prompt: ["ab", "c"], n: 2, logprobs: 2 });
  const scored = await client.completions.create({
    model: "tiny", prompt: "hello", max_tokens: 0, echo: true, logprobs: 1,
  });
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  const { data, response } = await client.completions.create({ ...DRAWN, prompt: "ab", top_k: 3 }).withResponse();
  console.log(JSON.stringify({
    models,
    model: (await client.models.retrieve("tiny")).id,
    whole: whole.choices.map((choice) => choice.text),
    usage: whole.usage,
    beyond: data.choices[0].text,
    request_id: response.headers.get("x-request-id"),
    logprobs: scored.choices[0].logprobs.token_logprobs,
    streamed: await streamed(),
    refusals: {
      temperature: await raised({ temperature: 3 }),
      unknown_model: await raised({ model: "none" }),
      too_long: await raised({ prompt: "a".repeat(70000) }),
    },
  }));
}

main();
