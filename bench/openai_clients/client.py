"""OpenAI's official Python library against a server: models, chat, streaming, JSON, tools, embeddings."""
import json
import os
import sys

import openai

client = openai.OpenAI(base_url=os.environ["URL"] + "/v1", api_key=os.environ["KEY"])
model = client.models.list().data[0].id
question = [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": "What is the capital of France?"}]
weather = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def chat(**more):
    return client.chat.completions.create(model=model, temperature=0, max_tokens=64, messages=question, **more)


def check(name, ok, seen):
    print(f"python,{name},{'ok' if ok else 'FAILED'}")
    if not ok:
        sys.exit(f"{name}: {seen!r}")


check("models", model == "demo", model)
answer = chat().choices[0].message.content
check("chat", len(answer) > 3, answer)
streamed = "".join(part.choices[0].delta.content or "" for part in chat(stream=True) if part.choices)
check("streaming", streamed == answer, streamed)
schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
found = chat(response_format={"type": "json_schema", "json_schema": {"name": "city", "schema": schema}})
check("json schema", "city" in json.loads(found.choices[0].message.content), found)
message = chat(tools=[weather], tool_choice="required").choices[0].message
for call in message.tool_calls or []:
    check("tools", call.function.name == "get_weather" and "city" in json.loads(call.function.arguments), call)
if not message.tool_calls:  # the engine lets a model talk as long as it likes before it calls; small ones do
    print("python,tools,answered in words")
called = {"id": "a", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'}}
told = [{"role": "user", "content": "What is the weather in Rome?"}, {"role": "assistant", "content": "", "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "a", "content": "It is sunny."}]
answer = client.chat.completions.create(model=model, temperature=0, max_tokens=32, messages=told, tools=[weather])
check("a tool's answer", "sunny" in answer.choices[0].message.content, answer.choices[0].message)
vectors = client.embeddings.create(model=model, input=["hello", "world"], encoding_format="float").data
check("embeddings", len(vectors) == 2 and len(vectors[0].embedding) == 576, len(vectors))
try:
    openai.OpenAI(base_url=os.environ["URL"] + "/v1", api_key="wrong").chat.completions.create(
        model=model, messages=question
    )
    check("wrong key", False, "was answered")
except openai.AuthenticationError:
    check("wrong key", True, "")
