// Writes a completion request as commands that run as they are.

const OPENAI_FIELDS = new Set(["model", "prompt", "max_tokens", "temperature", "top_p", "seed", "stop"]);

export function snippets(body, { origin, hostname, secure, grpcPort, needsKey }) {
  return {
    curl: curl(body, origin, needsKey),
    Python: python(body, origin, needsKey),
    grpcurl: grpcurl(body, `${hostname}:${grpcPort}`, secure, needsKey),
  };
}

function curl(body, origin, needsKey) {
  const key = needsKey ? ` -H "Authorization: Bearer $NEXTCHAR_KEY"` : "";
  return `curl -sN ${origin}/v1/completions${key} -H 'Content-Type: application/json' \\\n  -d ${quoted(JSON.stringify({ ...body, stream: true }))}`;
}

function python(body, origin, needsKey) {
  const fields = Object.entries(body);
  const own = fields.filter(([name]) => OPENAI_FIELDS.has(name)).map(([name, value]) => `    ${name}=${literal(value)},\n`);
  const extra = fields.filter(([name]) => !OPENAI_FIELDS.has(name)).map(([name, value]) => `${literal(name)}: ${literal(value)}`);
  const key = needsKey ? 'os.environ["NEXTCHAR_KEY"]' : '"none"';
  return `${needsKey ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url=${literal(`${origin}/v1`)}, api_key=${key})
stream = client.completions.create(
${own.join("")}    stream=True,
${extra.length ? `    extra_body={${extra.join(", ")}},\n` : ""})
for event in stream:
    for choice in event.choices:
        print(choice.text, end="", flush=True)
`;
}

function grpcurl(body, address, secure, needsKey) {
  const key = needsKey ? ` -H "authorization: Bearer $NEXTCHAR_KEY"` : "";
  return `grpcurl${secure ? "" : " -plaintext"}${key} -d ${quoted(JSON.stringify(body))} \\\n  ${address} nextchar.v1.Nextchar/Complete`;
}

// Quotes for a shell: inside single quotes, only the quote itself is special.
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

// Writes a Python literal. JSON's strings and numbers are valid Python.
function literal(value) {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "object") return `{${Object.entries(value).map(([name, item]) => `${literal(name)}: ${literal(item)}`).join(", ")}}`;
  return JSON.stringify(value);
}
