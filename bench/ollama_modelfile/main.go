// A Modelfile as Ollama reads it: its own parser, its own check of parameters, its own template engine.
//
//	ollama_modelfile MODELFILE MESSAGES.json      prints one JSON object: parameters, system, license, prompt
//
// MESSAGES.json is a list of {"role", "content"}; `prompt` is what Ollama would give the model for them.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/ollama/ollama/api"
	"github.com/ollama/ollama/parser"
	"github.com/ollama/ollama/template"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	file, err := os.Open(os.Args[1])
	check(err)
	modelfile, err := parser.ParseFile(file)
	check(err)
	request, err := modelfile.CreateRequest(".")
	check(err)

	given := map[string][]string{}
	for _, command := range modelfile.Commands {
		switch command.Name {
		case "model", "template", "system", "license", "message", "adapter":
		default:
			given[command.Name] = append(given[command.Name], command.Args)
		}
	}
	parameters, err := api.FormatParams(given)
	check(err)

	text, err := os.ReadFile(os.Args[2])
	check(err)
	var messages []api.Message
	check(json.Unmarshal(text, &messages))
	parsed, err := template.Parse(request.Template)
	check(err)
	var prompt bytes.Buffer
	check(parsed.Execute(&prompt, template.Values{Messages: messages}))

	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"parameters": parameters, "system": request.System, "license": request.License, "prompt": prompt.String(),
	}))
}
