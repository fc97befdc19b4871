// OpenAI's official Node library against a server: models, chat, streaming, JSON, tools, embeddings.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.URL + "/v1", apiKey: process.env.KEY });
const model = (await client.models.list()).data[0].id;
const messages = [{ role: "system", content: "Answer briefly." }, { role: "user", content: "What is the capital of France?" }];
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const chat = (more) => client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 64, ...more });

function check(name, ok, seen) {
    console.log(`node,${name},${ok ? "ok" : "FAILED"}`);
    if (!ok) {
        console.error(name, seen);
        process.exit(1);
    }
}

check("models", model === "demo", model);
const answer = (await chat({})).choices[0].message.content;
check("chat", answer.length > 3, answer);
let streamed = "";
for await (const part of await chat({ stream: true })) streamed += part.choices[0]?.delta?.content ?? "";
check("streaming", streamed === answer, streamed);
const json = await chat({ response_format: { type: "json_schema", json_schema: { name: "city", schema: city } } });
check("json schema", "city" in JSON.parse(json.choices[0].message.content), json);
const weather = { type: "function", function: { name: "get_weather", description: "The weather in a city", parameters: city } };
const calls = (await chat({ tools: [weather], tool_choice: "required" })).choices[0].message.tool_calls ?? [];
for (const call of calls)
    check("tools", call.function.name === "get_weather" && "city" in JSON.parse(call.function.arguments), call);
// The engine lets a model talk as long as it likes before it calls; small ones do.
if (calls.length === 0) console.log("node,tools,answered in words");
const called = { id: "a", type: "function", function: { name: "get_weather", arguments: '{"city": "Rome"}' } };
const told = [
    { role: "user", content: "What is the weather in Rome?" },
    { role: "assistant", content: "", tool_calls: [called] },
    { role: "tool", tool_call_id: "a", content: "It is sunny." },
];
const heard = await client.chat.completions.create({ model, messages: told, temperature: 0, max_tokens: 32, tools: [weather] });
check("a tool's answer", heard.choices[0].message.content.includes("sunny"), heard.choices[0].message);
const vectors = (await client.embeddings.create({ model, input: ["hello", "world"], encoding_format: "float" })).data;
check("embeddings", vectors.length === 2 && vectors[0].embedding.length === 576, vectors.length);
const stranger = new OpenAI({ baseURL: process.env.URL + "/v1", apiKey: "wrong", maxRetries: 0 });
const refused = await stranger.chat.completions.create({ model, messages }).catch((error) => error.status);
check("wrong key", refused === 401, refused);
