// Continue a text greedily by the llama.cpp of an installed node-llama-cpp; prints one JSON object.
import {getLlama} from "node-llama-cpp";

const [file, prompt, nTokens] = process.argv.slice(2);
const llama = await getLlama({gpu: false, build: "never", skipDownload: true, logLevel: "error"});
const model = await llama.loadModel({modelPath: file});
const context = await model.createContext({contextSize: 512, threads: 1});
const tokens = [];
for await (const token of context.getSequence().evaluate(model.tokenize(prompt, true), {temperature: 0})) {
    tokens.push(token);
    if (tokens.length >= Number(nTokens)) break;
}
console.log(JSON.stringify({release: llama.llamaCppRelease?.release, text: model.detokenize(tokens)}));
process.exit(0);
