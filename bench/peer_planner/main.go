// What the planner gguf-parser (github.com/gpustack/gguf-parser-go) says that a file needs on a machine without a GPU,
// the file loaded into memory, so that its figure can stand beside ech0's and the measured one.
//
//	go run . FILE.gguf CONTEXT KV_TYPE      KV_TYPE: f16, q8_0 or q4_0
package main

import (
	"fmt"
	"os"
	"strconv"

	parser "github.com/gpustack/gguf-parser-go"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: peer_planner FILE.gguf CONTEXT KV_TYPE")
		os.Exit(2)
	}
	types := map[string]parser.GGMLType{"f16": parser.GGMLTypeF16, "q8_0": parser.GGMLTypeQ8_0, "q4_0": parser.GGMLTypeQ4_0}
	context, err := strconv.Atoi(os.Args[2])
	kv, known := types[os.Args[3]]
	if err != nil || !known {
		fmt.Fprintln(os.Stderr, "CONTEXT is a number, KV_TYPE f16, q8_0 or q4_0")
		os.Exit(2)
	}
	file, err := parser.ParseGGUFFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	estimate := file.EstimateLLaMACppRun(
		parser.WithLLaMACppContextSize(int32(context)),
		parser.WithLLaMACppCacheKeyType(kv),
		parser.WithLLaMACppCacheValueType(kv),
		parser.WithLLaMACppOffloadLayers(0),
		parser.WithFlashAttention())
	// No mmap, since ech0 loads into memory; no footprint of its own added for machines with a GPU.
	item := estimate.SummarizeItem(false, 0, 0)
	fmt.Println(uint64(item.RAM.NonUMA))
}
