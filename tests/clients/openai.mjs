// What OpenAI's client for Node gets from the server at OPENAI_BASE_URL, as one JSON document.
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const model = "black-forest-labs/FLUX.1-schnell";
const order = { model, prompt: "A red fox", size: "64x48" };

const listed = [];
for await (const entry of client.models.list()) listed.push(entry.id);
const inline = await client.images.generate({ ...order, response_format: "b64_json" });
const linked = await client.images.generate({ ...order, response_format: "url", n: 2 });
const fetched = await fetch(linked.data[1].url);
const refused = await client.images
  .generate({ ...order, model: "sandbox/insufficient-credit" })
  .catch((error) => ({ status: error.status, message: error.message, requestID: error.requestID }));

console.log(
  JSON.stringify({
    listed,
    retrieved: (await client.models.retrieve(model)).id,
    requestID: inline._request_id,
    images: [inline.data[0].b64_json, Buffer.from(await fetched.arrayBuffer()).toString("base64")],
    refused,
  }),
);
